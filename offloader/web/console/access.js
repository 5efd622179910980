// The admin token: in this tab's storage and nowhere else; it leaves as a Bearer header only.

const PLACE = "offloader-admin-token";

export function token() {
  return sessionStorage.getItem(PLACE);
}

export function headers() {
  return token() ? { Authorization: `Bearer ${token()}` } : {};
}

export function forget() {
  sessionStorage.removeItem(PLACE);
  show();
}

/** Show the form or that the tab is unlocked; nothing where the instance has no token. */
export function show() {
  const canUnlock = document.body.dataset.token === "set";
  document.getElementById("unlock").hidden = !canUnlock || Boolean(token());
  document.getElementById("unlocked").hidden = !token();
}

/** Say something about the access, such as that the token is wrong. */
export function tell(text) {
  document.getElementById("access-told").textContent = text;
}

/** Take the token from the form, or forget it; `changed` is called after either. */
export function listen(changed) {
  const field = document.getElementById("token");
  document.getElementById("unlock").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    field.value = "";
    tell(isSendable(text) ? "" : "This is no admin token: printable ASCII without spaces is.");
    if (!isSendable(text)) return;
    sessionStorage.setItem(PLACE, text);
    show();
    changed();
  });
  document.getElementById("lock").addEventListener("click", () => {
    forget();
    changed();
    field.focus();
  });
}

function isSendable(text) {
  return /^[\x21-\x7e]+$/.test(text);
}
