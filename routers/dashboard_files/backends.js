// Backends as a table: how they are, how busy, and what their answers have taught.

import { byId, keep, make, refill, say } from "./dom.js";
import * as format from "./format.js";

const MOST_NAMED = 4;
const HEALTH = { closed: "well", open: "failing", half_open: "on trial", unknown: "not asked yet" };
const groups = new Map();

export function showBackends(backends) {
  keep(
    byId("backends-table"),
    groups,
    backends,
    ({ id }) => id,
    () => new Group(),
  );
  say(byId("backends-count"), backends.length ? String(backends.length) : "");
  byId("backends-table").hidden = !backends.length;
  byId("backends-empty").hidden = backends.length > 0;
}

/** The rows of one backend: one for each model that has taught something. */
class Group {
  element = make("tbody", { role: "rowgroup" });

  update(backend) {
    refill(this.element, JSON.stringify(backend), () => rowsOf(backend));
  }
}

function rowsOf(backend) {
  const models = modelsOf(backend);
  const rowspan = models.length;
  const facts = [
    make("th", { role: "rowheader", scope: "row", rowspan }, ...identity(backend)),
    cell("Health", { rowspan }, health(backend.health)),
    cell("Busy", { rowspan }, ...busy(backend)),
    cell("Waiting", { rowspan }, ...waiting(backend)),
  ];
  const rows = models.map((cells, index) => row(...(index ? [] : facts), ...cells));
  const ailing = backend.health !== "closed" && backend.ailment;
  return ailing ? [...rows, row(cell("Ailment", { colspan: 8, class: "ailment" }, ailment(backend)))] : rows;
}

const row = (...cells) => make("tr", { role: "row" }, ...cells);

function cell(label, attributes, ...children) {
  return make("td", { role: "cell", "data-label": label, ...attributes }, ...children);
}

const line = (text, kind = null) => make("div", { class: kind }, text);

function identity({ id, kind, hardware, zone }) {
  const where = zone === null ? "in no zone" : `in zone ${zone}`;
  return [line(id, "name"), line(`${hardware}, ${kind}`, "faint"), line(where, "faint")];
}

function health(state) {
  return make("span", { class: "health", "data-health": state }, HEALTH[state] ?? state);
}

function ailment({ ailment: words, retry_seconds: retry }) {
  return retry ? `${words}; tries again in ${format.duration(retry)}` : words;
}

function busy({ busy: jobs, concurrency, duty }) {
  const paced = typeof duty === "number" && duty < 1;
  return [line(`${jobs} of ${concurrency}`), paced && line(`slowed to ${format.share(duty)}`, "paced")].filter(Boolean);
}

/** How many wait, by priority where the gateway says so. */
function waiting({ waiting: count, queue, line: priorities }) {
  const parts = Object.entries(priorities ?? {}).filter(([, number]) => number > 0);
  return [line(`${count} of ${queue}`), ...parts.map(([priority, number]) => line(`${number} ${priority}`, "faint"))];
}

/** The cells of each model that has taught something; the others share a row. */
function modelsOf({ models, learned }) {
  const taught = Object.entries(learned ?? {});
  const others = models.filter((model) => !(model in (learned ?? {})));
  const rows = taught.map(([model, facts]) => [
    cell("Model", { class: "model" }, model),
    figure("First token", format.milliseconds(facts.first_token_seconds)),
    figure("Speed", format.perSecond(facts.tokens_per_second)),
    figure("Energy", format.perToken(facts.joules_per_token)),
  ]);
  if (others.length || !rows.length)
    rows.push([cell("Models", { class: "others", colspan: 4 }, untaught(others, rows.length))]);
  return rows;
}

function untaught(models, taught) {
  if (!models.length) return "no model is known yet";
  const named = models.slice(0, MOST_NAMED).join(", ");
  const more = models.length > MOST_NAMED ? ` and ${models.length - MOST_NAMED} more` : "";
  return `${taught ? "also serves" : "serves"} ${named}${more}; nothing learned yet`;
}

function figure(label, text) {
  return cell(label, { class: "number", "data-unknown": text === format.UNKNOWN }, text);
}
