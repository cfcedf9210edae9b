// Comforts on top of pages that work without any script.
(function () {
  "use strict";

  // Passwords can be shown, so that what was typed on a phone can be checked.
  function enhancePassword(box) {
    if (box.querySelector("button")) return;
    var input = box.querySelector("input");
    var button = document.createElement("button");
    var status = document.createElement("span");
    button.type = "button";
    button.className = "c-password-toggle";
    button.textContent = box.dataset.show;
    button.setAttribute("aria-controls", input.id);
    status.className = "visually-hidden";
    status.setAttribute("role", "status");
    button.addEventListener("click", function () {
      var show = input.type === "password";
      input.type = show ? "text" : "password";
      button.textContent = show ? box.dataset.hide : box.dataset.show;
      status.textContent = show ? box.dataset.shown : box.dataset.hidden;
    });
    // A shown password must leave as a password, or the browser would remember it as plain text.
    if (input.form) input.form.addEventListener("submit", function () { input.type = "password"; });
    box.append(button, status);
  }

  function enhance(root) {
    root.querySelectorAll("[data-password]").forEach(enhancePassword);
    var summary = root.querySelector("[data-focus]");
    if (summary) summary.focus();
  }

  // A second press of an impatient finger is not a second request.
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (!form.matches("form[data-once]")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    form.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form[data-once][data-sent]").forEach(function (form) {
      delete form.dataset.sent;
      form.removeAttribute("aria-busy");
    });
  });

  // Menus close with Escape and when one clicks elsewhere.
  function closeMenus(except) {
    document.querySelectorAll("details[data-menu][open]").forEach(function (menu) {
      if (menu !== except) menu.open = false;
    });
  }
  document.addEventListener("click", function (event) {
    closeMenus(event.target.closest("details[data-menu]"));
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    var menu = event.target.closest("details[data-menu][open]");
    closeMenus(null);
    if (menu) menu.querySelector("summary").focus();
  });

  // An exchange in the background that fails says so.
  function tell(title, text) {
    var box = document.getElementById("messaggi");
    var alert = document.createElement("div");
    var heading = document.createElement("p");
    var detail = document.createElement("p");
    alert.className = "alert alert-danger c-alert";
    heading.className = "c-alert-title";
    heading.textContent = title || box.dataset.errorTitle;
    detail.textContent = text || "";
    alert.append(heading, detail);
    box.replaceChildren(alert);
    box.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("htmx:responseError", function (event) {
    var problem = {};
    try { problem = JSON.parse(event.detail.xhr.responseText); } catch (error) { problem = {}; }
    tell(problem.title, problem.detail);
  });
  document.addEventListener("htmx:sendError", function () {
    tell("", document.getElementById("messaggi").dataset.errorText);
  });
  document.addEventListener("htmx:load", function (event) { enhance(event.detail.elt); });

  enhance(document);
})();
