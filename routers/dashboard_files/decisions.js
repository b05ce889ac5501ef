// The stream of decisions, the newest first, as many as the gateway tells of.

import { byId, keep, say, set } from "./dom.js";
import { DecisionRow } from "./decision.js";

const MOST = 200;
const TOGETHER_MS = 100;
const records = new Map(); // by request id
const rows = new Map();
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

export function preparePause() {
  const button = byId("decisions-hold");
  button.addEventListener("click", () => {
    paused = !paused;
    set(button, "aria-pressed", String(paused));
    show();
  });
  const hello = '{"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}';
  say(byId("decisions-try"), `curl ${location.origin}/v1/chat/completions \\\n  -H 'Content-Type: application/json' \\\n  -d '${hello}'`);
}

function show() {
  const newest = [...records.values()].sort((a, b) => b.at - a.at);
  for (const { request_id: id } of newest.splice(MOST)) records.delete(id);
  const shown = paused ? newest.filter(({ request_id: id }) => rows.has(id)) : newest;
  keep(byId("decisions-list"), rows, shown, ({ request_id: id }) => id, () => new DecisionRow());
  const missing = newest.length - shown.length;
  say(byId("decisions-hold"), paused ? `Go on${missing ? ` (${missing} new)` : ""}` : "Pause");
  say(byId("decisions-count"), shown.length ? String(shown.length) : "");
  byId("decisions-empty").hidden = newest.length > 0;
}
