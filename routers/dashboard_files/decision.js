// One decision: a line of facts, and on request every opinion that led to it.

import { answerStory, confidenceOf, path } from "./answers.js";
import { make, refill, say, set } from "./dom.js";
import { Feedback } from "./feedback.js";
import * as format from "./format.js";
import { moveLine, moveStory } from "./handoff.js";

const NO_OPINION = "nothing speaks against it";

export class DecisionRow {
  #time = make("time", { class: "time" });
  #asked = make("span", { class: "asked" });
  #went = make("span", { class: "went" });
  #outcome = make("span", { class: "outcome" });
  #moves = make("ul", { class: "moves" });
  #path = make("p", { class: "path" });
  #reason = make("p", { class: "reason" });
  #facts = make("p", { class: "facts-line" });
  #answers = make("div", { class: "part" });
  #feedback = null; // until it is opened
  #more = make("div", { class: "part" });
  #details;
  #record = null;

  constructor() {
    const way = make("p", { class: "way" }, this.#asked, make("span", { class: "arrow" }, " → "), this.#went);
    const head = make("div", { class: "decision-head" }, this.#time, way, this.#outcome);
    const summary = make("summary", {}, head, this.#path, this.#moves, this.#reason, this.#facts);
    this.#details = make("details", {}, summary, make("div", { class: "more" }, this.#answers, this.#more));
    this.#details.addEventListener("toggle", () => this.#tellMore());
    this.element = make("li", { class: "decision" }, this.#details);
  }

  /** `record` as /admin/decisions describes it. */
  update(record) {
    if (this.#record === record) return;
    this.#record = record;
    say(this.#time, format.timeOfDay(record.at));
    set(this.#time, "datetime", new Date(record.at * 1000).toISOString());
    say(this.#asked, record.model_asked);
    say(this.#went, record.backend ?? (record.outcome === "running" ? "…" : "nowhere"));
    say(this.#outcome, record.outcome);
    set(this.element, "data-outcome", record.outcome);
    refill(this.#path, JSON.stringify([record.answers, record.outcome]), () => path(record));
    refill(this.#moves, JSON.stringify(record.handoffs), () => record.handoffs.map(moveLine));
    say(this.#reason, reasonOf(record));
    say(this.#facts, factsOf(record).join(" · "));
    this.#tellMore();
  }

  #tellMore() {
    if (!this.#details.open) return;
    const record = this.#record;
    refill(this.#answers, JSON.stringify(record.answers), () => list("Answers", record.answers, answerStory));
    this.#tellFeedback(record);
    refill(this.#more, JSON.stringify(record), () =>
      [
        paragraph(storyOf(record).join(" · ")),
        record.error && make("p", { class: "error" }, record.error),
        ...list("Failed attempts", record.failed_attempts, attempt),
        ...list("Handoffs", record.handoffs, moveStory),
        ...list("Routes, the best first", record.routes, route),
        ...list("Rejected", record.rejected, route),
      ].filter(Boolean),
    );
  }

  #tellFeedback(record) {
    if (!this.#feedback) {
      this.#feedback = new Feedback();
      this.#answers.after(this.#feedback.element);
    }
    this.#feedback.update(record);
  }
}

/** The weightiest opinion of the route that was taken; without a route, what went wrong. */
export function reasonOf({ backend, model, routes, rejected, error }) {
  const taken = routes.find((each) => each.backend === backend && each.model === model) ?? routes[0];
  if (!taken) return error ?? rejected[0]?.verdicts.at(-1)?.reason ?? "";
  const heaviest = taken.verdicts.reduce((most, each) => (each.penalty > (most?.penalty ?? 0) ? each : most), null);
  return heaviest ? `${heaviest.rule}: ${heaviest.reason}` : NO_OPINION;
}

function factsOf(record) {
  const { workload, priority, mode, relaxed, background, queue, energy, seconds } = record;
  const facts = [workload, priority, mode, relaxed && `limits of the ${relaxed} gave way`, background && "background"];
  if (queue?.waited_seconds) facts.push(`waited ${format.seconds(queue.waited_seconds)}`);
  if (seconds !== null) facts.push(format.seconds(seconds));
  if (energy) facts.push(format.energy(energy));
  return [confidenceOf(record), ...facts].filter(Boolean);
}

function storyOf({ request_id: id, endpoint, key, stream, model, queue, first_chunk_seconds: first, usage }) {
  const story = [endpoint + (stream ? ", streamed" : ""), model ? `model ${model}` : null];
  if (queue) story.push(`${queue.ahead} ahead, expected wait ${format.seconds(queue.estimated_wait_seconds)}`);
  if (first !== null) story.push(`first token after ${format.seconds(first)}`);
  if (usage)
    story.push(`${usage.prompt_tokens ?? format.UNKNOWN} tokens in, ${usage.completion_tokens ?? format.UNKNOWN} out`);
  return [...story, key ? `key ${key}` : null, id].filter(Boolean);
}

function paragraph(text) {
  return make("p", { class: "story" }, text);
}

function list(title, items, render) {
  return items?.length ? [make("h4", {}, title), make("ul", { class: "opinions" }, ...items.map(render))] : [];
}

function attempt({ backend, reason }) {
  return make("li", {}, make("span", { class: "name" }, backend), ` ${reason}`);
}

function route({ backend, model, penalty, verdicts }) {
  const rejected = verdicts.at(-1)?.reject;
  const head = make("p", { class: "route-head" }, make("span", { class: "name" }, backend), ` ${model} `);
  if (!rejected) head.append(make("span", { class: "penalty" }, `penalty ${format.degrees(penalty)}`));
  return make("li", {}, head, make("ul", { class: "verdicts" }, ...verdicts.map(verdict)));
}

function verdict({ rule, reason, penalty, reject }) {
  const weight = reject ? "rejects" : `+${Number(penalty.toFixed(2))}`;
  const parts = [
    make("span", { class: "weight" }, weight),
    make("span", { class: "rule" }, rule),
    make("span", {}, reason),
  ];
  return make("li", { "data-reject": reject }, ...parts);
}
