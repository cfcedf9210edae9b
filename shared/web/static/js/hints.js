// What a new password or PIN still needs, told while it is typed. The server decides; without this script it tells after.
//   <ul data-hints="id of the field" data-repeat="id of the second field" data-current="id of the old one" hidden>
//     <li data-rule="length" data-least="15" data-most="128">…</li>
//   </ul>
// Rules: length (characters), digits (exactly `least`), varied, same (as the repetition), other (than the current one).
(function () {
  "use strict";

  function letters(text) { return Array.from(text.normalize("NFC")); }

  function inARow(text) {
    var up = true, down = true;
    for (var i = 1; i < text.length; i += 1) {
      var step = (text.charCodeAt(i) - text.charCodeAt(i - 1) + 10) % 10;
      up = up && step === 1;
      down = down && step === 9;
    }
    return up || down;
  }

  function varied(text) {
    var plain = text.replace(/[\s-]/g, "").toLowerCase();
    var different = new Set(plain).size;
    if (/^[0-9]{1,6}$/.test(plain)) return plain.length > 1 && different > 2 && !inARow(plain);
    return different > 4;
  }

  function holds(item, field, repeat, current) {
    var text = field.value;
    var count = letters(text).length;
    switch (item.dataset.rule) {
      case "length": return count >= Number(item.dataset.least) && count <= Number(item.dataset.most);
      case "digits": return new RegExp("^[0-9]{" + item.dataset.least + "}$").test(text.replace(/[\s-]/g, ""));
      case "varied": return text !== "" && varied(text);
      case "same": return text !== "" && repeat !== null && repeat.value === text;
      case "other": return text !== "" && current !== null && current.value !== text;
      default: return false;
    }
  }

  function mark(item, done, word) {
    if (item.hasAttribute("data-ok") === done) return;
    item.toggleAttribute("data-ok", done);
    var said = item.querySelector(".visually-hidden");
    if (said === null) {
      said = document.createElement("span");
      said.className = "visually-hidden";
      item.prepend(said);
    }
    said.textContent = done ? word + " " : "";
  }

  document.querySelectorAll("[data-hints]").forEach(function (list) {
    var byId = function (id) { return id ? document.getElementById(id) : null; };
    var field = byId(list.dataset.hints);
    var repeat = byId(list.dataset.repeat);
    var current = byId(list.dataset.current);
    if (field === null) return;
    function look() {
      list.querySelectorAll("[data-rule]").forEach(function (item) {
        mark(item, holds(item, field, repeat, current), list.dataset.done);
      });
    }
    [field, repeat, current].forEach(function (one) { if (one !== null) one.addEventListener("input", look); });
    list.setAttribute("aria-live", "polite");
    list.hidden = false;
    look();
  });
})();
