// Asking the gateway for something, with the key if there is one.

import { ask, headers } from "./key.js";

const LOCKED = new Set([401, 403]);

/** An answer that is no success: `message` is the gateway's own. */
export class Refused extends Error {
  constructor(status, { message, code }, retrySeconds) {
    super(message ?? `The gateway answered ${status}.`);
    this.status = status;
    this.code = code;
    this.retrySeconds = retrySeconds;
  }

  get locked() {
    return LOCKED.has(this.status);
  }
}

/** The response, if it is a success; throws Refused. */
export async function call(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { ...options.headers, ...headers() }, cache: "no-store" });
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Refused(response.status, told.error ?? {}, Number(response.headers.get("retry-after")) || 0);
}

/** Change something; asks for a key and tries again where one is needed. */
export const put = (path, content) => send("PUT", path, content);

/** Add something, likewise. */
export const post = (path, content) => send("POST", path, content);

async function send(method, path, content) {
  const options = { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) };
  for (;;) {
    try {
      return await (await call(path, options)).json();
    } catch (error) {
      if (!(error instanceof Refused && error.locked && (await ask(error)))) throw error;
    }
  }
}
