// One move of a running answer from backend to backend: in a line, and with all that is known of it.

import { make } from "./dom.js";
import { facts } from "./facts.js";
import * as format from "./format.js";

const NO_TARGET = { running: "…", failed: "nowhere" };

/** For the row of a decision. */
export function moveLine(move) {
  const { reason, continuation, stall_ms: stall, result } = move;
  const words = [reason, continuation, stall !== null && `${duration(stall)} stall`, result !== "completed" && result];
  const told = make("span", { class: "move-facts" }, words.filter(Boolean).join(" · "));
  return make("li", { "data-result": result }, wayOf(move), " ", told);
}

/** For whoever wants to know more. */
export function moveStory(move) {
  const pairs = [
    ["why", `${move.reason}: ${move.why}`],
    ["how", `${move.continuation ?? format.UNKNOWN}${move.prepared ? ", prepared" : ""}`],
    ["after", `${move.at_tokens} tokens, ${move.at_chars} characters`],
    ["stall", duration(move.stall_ms)],
    ["from cache", move.cache_reused_tokens === null ? format.UNKNOWN : `${move.cache_reused_tokens} tokens`],
    ["result", move.result],
  ];
  return make("li", { "data-result": move.result }, make("p", {}, wayOf(move)), facts(pairs));
}

function wayOf({ from, to, result }) {
  const target = to ?? NO_TARGET[result] ?? from;
  return make("span", { class: "name" }, target === from ? from : `${from} → ${target}`);
}

const duration = (milliseconds) => format.seconds(milliseconds === null ? null : milliseconds / 1000);
