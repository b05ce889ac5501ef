// The stream of events: opened, read, and opened again when it ends.

import { Refused, call } from "./api.js";
import { ask } from "./key.js";
import { EventReader } from "./sse.js";

const SILENCE_MS = 6000;
const WAITS_MS = [500, 1000, 2000, 5000];

/**
 * Never ends. `listeners` has a function for each kind of event; `status(kind, words)` is told
 * connecting, live, lost or locked. Where a key is needed it is asked for; `unlock` resolves once
 * a person who would not give it wants to try again.
 */
export async function connect(path, listeners, status, unlock) {
  for (let failures = 0; ; failures += 1) {
    status("connecting", "connecting");
    let wait = WAITS_MS[Math.min(failures, WAITS_MS.length - 1)];
    try {
      await read(path, listeners, () => {
        failures = 0;
        status("live", "live");
      });
      status("lost", "connection lost, trying again");
    } catch (error) {
      if (error instanceof Refused && error.locked) {
        status("locked", "locked: it wants an admin key");
        if (!(await ask(error))) await unlock();
        continue;
      }
      wait = Math.max(wait, (error.retrySeconds ?? 0) * 1000);
      status("lost", error instanceof Refused ? error.message : "connection lost, trying again");
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

async function read(path, listeners, opened) {
  const gone = new AbortController();
  let silence = setTimeout(() => gone.abort(), SILENCE_MS);
  try {
    const response = await call(path, { signal: gone.signal });
    opened();
    const texts = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const reader = new EventReader();
    for (;;) {
      const { done, value } = await texts.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => gone.abort(), SILENCE_MS);
      for (const { event, data } of reader.push(value)) listeners[event]?.(JSON.parse(data));
    }
  } finally {
    clearTimeout(silence);
    gone.abort();
  }
}
