// The stream of decisions, the newest first, as many as the gateway tells of.

import { byId, keep, say, set } from "./dom.js";
import { DecisionRow } from "./decision.js";

const MOST = 200;
const TOGETHER_MS = 100;
const rows = new Map();
let records = new Map(); // by request id
let paused = false;
let due = false;

export function addDecision(record) {
  records.set(record.request_id, record);
  if (due) return;
  due = true;
  setTimeout(() => {
    due = false;
    show();
  }, TOGETHER_MS);
}

/** It pauses by its button, and by opening a decision, which would move away from under its reader. */
export function prepareDecisions() {
  byId("decisions-hold").addEventListener("click", () => pause(!paused));
  byId("decisions-list").addEventListener("toggle", (event) => event.target.open && pause(true), { capture: true });
  const hello = '{"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}';
  say(
    byId("decisions-try"),
    `curl ${location.origin}/v1/chat/completions \\\n  -H 'Content-Type: application/json' \\\n  -d '${hello}'`,
  );
}

function pause(now) {
  paused = now;
  set(byId("decisions-hold"), "aria-pressed", String(paused));
  show();
}

function show() {
  const reading = ({ request_id: id }) => paused && rows.has(id);
  const newest = [...records.values()].sort((a, b) => b.at - a.at);
  const kept = newest.filter((record, place) => place < MOST || reading(record));
  records = new Map(kept.map((record) => [record.request_id, record]));
  const shown = paused ? kept.filter(reading) : kept;
  keep(
    byId("decisions-list"),
    rows,
    shown,
    ({ request_id: id }) => id,
    () => new DecisionRow(),
  );
  const missing = kept.length - shown.length;
  say(byId("decisions-hold"), paused ? `Go on${missing ? ` (${missing} new)` : ""}` : "Pause");
  say(byId("decisions-count"), shown.length ? String(shown.length) : "");
  byId("decisions-empty").hidden = kept.length > 0;
}
