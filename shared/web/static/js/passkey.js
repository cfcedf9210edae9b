// Passkeys: the browser's own dialogue between our question and our answer (WebAuthn).
(function () {
  "use strict";

  function bytes(text) {
    var plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (c) { return c.charCodeAt(0); });
  }

  function text(buffer) {
    var plain = "";
    new Uint8Array(buffer).forEach(function (b) { plain += String.fromCharCode(b); });
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function question(options) {
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    (options.excludeCredentials || []).concat(options.allowCredentials || []).forEach(function (known) {
      known.id = bytes(known.id);
    });
    return { publicKey: options };
  }

  function answer(credential) {
    var response = { clientDataJSON: text(credential.response.clientDataJSON) };
    ["attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    });
    return {
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response: response,
      clientExtensionResults: credential.getClientExtensionResults()
    };
  }

  async function post(url, body) {
    var reply = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      credentials: "same-origin",
      body: JSON.stringify(body)
    });
    var told = await reply.json().catch(function () { return {}; });
    if (!reply.ok) throw { detail: told.detail || told.title };
    return told;
  }

  function tell(box, message) {
    var place = box.querySelector("[data-message]");
    place.textContent = message;
    place.hidden = !message;
  }

  async function run(box, ask, call, say) {
    tell(box, "");
    box.setAttribute("aria-busy", "true");
    try {
      var options = await post(box.dataset.ask, ask());
      var credential = await call(question(options.publicKey));
      var told = await post(box.dataset.answer, say(answer(credential)));
      window.location.assign(box.dataset.next || told.start);
    } catch (trouble) {
      var ended = trouble.name === "NotAllowedError" || trouble.name === "AbortError";
      tell(box, ended ? box.dataset.cancelled : trouble.detail || box.dataset.failed);
    } finally {
      box.removeAttribute("aria-busy");
    }
  }

  var able = window.PublicKeyCredential && navigator.credentials;
  document.querySelectorAll("[data-passkey]").forEach(function (box) {
    var kind = box.dataset.passkey;
    if (kind === "unsupported") box.hidden = Boolean(able);
    if (!able || kind === "unsupported") return;
    box.hidden = false;
    if (kind === "register") {
      box.addEventListener("submit", function (event) {
        event.preventDefault();
        if (box.hasAttribute("aria-busy")) return;
        var name = box.elements.name;
        var password = box.elements.password;
        if (!name.value.trim()) { name.focus(); return; }
        run(
          box,
          function () { return { password: password ? password.value : "" }; },
          function (options) { return navigator.credentials.create(options); },
          function (credential) { return { name: name.value.trim(), credential: credential }; }
        );
      });
    } else {
      box.querySelector("button").addEventListener("click", function () {
        if (box.hasAttribute("aria-busy")) return;
        run(
          box,
          function () { return {}; },
          function (options) { return navigator.credentials.get(options); },
          function (credential) { return { credential: credential }; }
        );
      });
    }
  });
})();
