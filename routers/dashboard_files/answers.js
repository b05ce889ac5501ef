// What each model that was asked made of a question: how likely it was right, and all that speaks for or against it.

import { make } from "./dom.js";
import { facts } from "./facts.js";
import * as format from "./format.js";

const SENT = ["accepted", "best", "unjudged"]; // what became of the attempt that the client was answered with
const MARKED = ["best", "failed"]; // what the order of a path does not say
const MEANING = {
  doubted: "doubted: another model was asked",
  best: "best: it was doubted, but nothing better came",
  unjudged: "unjudged: nobody could tell how good it is",
};

/** How likely the answer is right that the client got; null where there is none, or nobody was to judge it. */
export function confidenceOf({ answers }) {
  const sent = answers.findLast(({ result }) => SENT.includes(result));
  return sent ? `confidence ${format.share(sent.confidence)}` : null;
}

/** For the row of a decision: who was asked in turn, once an answer was doubted. */
export function path({ answers, outcome }) {
  const open = answers.at(-1)?.result === "doubted";
  if (answers.length < 2 && !open) return [];
  const steps = answers.map(step);
  if (open) steps.push(outcome === "running" ? "…" : "nowhere");
  return steps.flatMap((each, place) => (place ? [make("span", { class: "arrow" }, " → "), each] : [each]));
}

function step({ model, confidence, result }) {
  const told = ` ${format.share(confidence)}${MARKED.includes(result) ? ` (${result})` : ""}`;
  return make("span", { class: "step", "data-result": result }, make("span", { class: "name" }, model), told);
}

/** For whoever wants to know more. */
export function answerStory(answer) {
  const { backend, model, result, tokens, opinions, confidence, by, notes } = answer;
  const names = Object.keys(answer.signals);
  const judged = confidence !== null;
  const pairs = [
    ["result", MEANING[result] ?? result],
    ["confidence", format.share(confidence)],
    ["by the fit", by ?? format.UNKNOWN],
    ["judged after", judged ? `${tokens} tokens` : format.UNKNOWN],
    ...opinions.map(opinion),
    ["notes", notes.length ? notes.join("; ") : judged ? "none" : format.UNKNOWN],
  ];
  if (!names.length) pairs.push(["signals", judged ? "none" : format.UNKNOWN]);
  const head = make("p", {}, make("span", { class: "name" }, model), " by ", make("span", { class: "name" }, backend));
  return make("li", { "data-result": result }, head, facts(pairs), names.length ? signals(answer) : null);
}

function opinion({ kind, backend, model, tokens, seconds }) {
  return [kind, `${model} by ${backend}, ${tokens} tokens, ${format.seconds(seconds)}`];
}

function signals({ model, signals: values }) {
  const rows = Object.entries(values).map(signal);
  const head = make("tr", {}, make("th", { scope: "col" }, "Signal"), make("th", { scope: "col" }, "Value"));
  const caption = make("caption", { class: "unseen" }, `Signals of the answer by ${model}`);
  const table = make("table", {}, caption, make("thead", {}, head), make("tbody", {}, ...rows));
  const count = `${rows.length} signal${rows.length === 1 ? "" : "s"}`;
  return make("details", { class: "signals" }, make("summary", {}, count), table);
}

function signal([name, value]) {
  const told = format.number(value);
  const words = name.replaceAll("_", " ");
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, words),
    make("td", { "data-unknown": told === format.UNKNOWN }, told),
  );
}
