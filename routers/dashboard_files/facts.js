// Facts by name, one below the other; what nobody knows is marked as that.

import { make } from "./dom.js";
import { UNKNOWN } from "./format.js";

/** `pairs` are [name, text]. */
export function facts(pairs) {
  return make("dl", {}, ...pairs.flatMap(fact));
}

function fact([name, text]) {
  return [make("dt", {}, name), make("dd", { "data-unknown": text === UNKNOWN }, text)];
}
