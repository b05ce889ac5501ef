// The admin key: asked for when a door wants one, kept in this tab's session and nowhere else.

import { byId, say } from "./dom.js";

const NAME = "isotherm-admin-key";
const LOCKED = "This gateway is locked. A key of server.admin_keys opens it.";

export function headers() {
  const key = sessionStorage.getItem(NAME);
  return key === null ? {} : { Authorization: `Bearer ${key}` };
}

/** Show the dialog, for that refusal; true once a key was given, false if the person would rather not. */
export function ask(refusal) {
  const dialog = byId("key");
  const field = byId("key-field");
  say(byId("key-why"), refusal.code === "missing_api_key" ? LOCKED : refusal.message);
  field.value = "";
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    const done = new AbortController();
    const end = (given) => {
      done.abort();
      dialog.close();
      resolve(given);
    };
    const listen = (element, event, act) => element.addEventListener(event, act, { signal: done.signal });
    listen(byId("key-cancel"), "click", () => end(false));
    listen(dialog, "cancel", () => end(false));
    listen(byId("key-form"), "submit", (event) => {
      event.preventDefault();
      sessionStorage.setItem(NAME, field.value.trim());
      end(true);
    });
  });
}
