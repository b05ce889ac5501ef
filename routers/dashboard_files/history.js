// The last five minutes of a zone's temperature, by the gateway's clock.

export const SPAN_SECONDS = 300;
const STEP_SECONDS = 1;
const GAP_SECONDS = 20; // between two readings, where nothing was known

export class History {
  #points = []; // [at, celsius or null], the oldest first

  /** Begin anew with `[[seconds ago, celsius], ...]`. */
  fill(pairs, at) {
    this.#points = pairs.map(([ago, celsius]) => [at - ago, celsius]).sort((a, b) => a[0] - b[0]);
  }

  add(at, celsius) {
    const points = this.#points;
    const last = points.at(-1);
    // the newest point moves on with the time; it is left standing once it is a step behind the one before
    if (points.length > 1 && last[0] - points.at(-2)[0] < STEP_SECONDS) points.pop();
    points.push([at, celsius]);
    while (points.length && points[0][0] < at - SPAN_SECONDS) points.shift();
  }

  /** The oldest first, as runs of `[seconds before at, celsius]` without a gap. */
  before(at) {
    const runs = [[]];
    let last = null;
    for (const [then, celsius] of this.#points) {
      if (last !== null && then - last > GAP_SECONDS) runs.push([]);
      if (celsius === null) runs.push([]);
      else runs.at(-1).push([then - at, celsius]);
      last = then;
    }
    return runs.filter((run) => run.length);
  }
}
