// A zone's temperature over the last five minutes, its trip points, and where it goes.

import { draw, refill, set } from "./dom.js";
import { about, degrees } from "./format.js";
import { SPAN_SECONDS } from "./history.js";

const HEIGHT = 128;
const TOP = 6;
const BOTTOM = 18; // for the words under the axis
const GUTTER = 88; // for the names of the trip points
const AHEAD_SECONDS = 60;
const LABEL_STEP = 12;
const STATES = ["shutdown", "critical", "warning"];
const FLOOR_CELSIUS = 30;

let curves = 0;

export class Curve {
  #trips = draw("g");
  #line = draw("path", { class: "curve-line" });
  #area = draw("path", { class: "curve-area" });
  #ahead = draw("path", { class: "curve-ahead" });
  #mark = draw("circle", { class: "curve-mark", r: 3.5 });
  #hit = draw("circle", { class: "curve-hit", r: 3.5 });
  #now = draw("line", { class: "curve-now", y1: TOP, y2: HEIGHT - BOTTOM });
  #words = draw("g");
  #nothing = draw("text", { "text-anchor": "middle", y: HEIGHT / 2 + 20 }, "no temperature");
  #heat;
  #width = 0;
  #latest = null;

  constructor() {
    const id = `heat-${(curves += 1)}`;
    this.#heat = draw("linearGradient", { id, gradientUnits: "userSpaceOnUse", x1: 0, x2: 0, y1: HEIGHT, y2: 0 });
    set(this.#line, "stroke", `url(#${id})`);
    set(this.#area, "fill", `url(#${id})`);
    const layers = [
      this.#trips,
      this.#now,
      this.#area,
      this.#line,
      this.#ahead,
      this.#hit,
      this.#mark,
      this.#words,
      this.#nothing,
    ];
    this.element = draw(
      "svg",
      { class: "curve", role: "img", height: HEIGHT },
      draw("defs", {}, this.#heat),
      ...layers,
    );
    new ResizeObserver(([entry]) => this.#resize(entry.contentRect.width)).observe(this.element);
  }

  /** `runs` as History.before gives them; `critical` is how many seconds it takes to get there, if it will. */
  show(runs, celsius, trips, critical) {
    this.#latest = [runs, celsius, trips, critical];
    if (!this.#width) return;
    const known = runs.flat().map(([, value]) => value);
    const low = Math.min(FLOOR_CELSIUS, ...known.map((value) => Math.floor(value / 10) * 10));
    const high = Math.max(trips.shutdown, ...known) + 2;
    const x = (ago) => (1 + ago / SPAN_SECONDS) * this.#nowX();
    const y = (value) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    this.#drawTrips(trips, y);
    this.#drawLine(runs.map((run) => run.map(([ago, value]) => `${x(ago).toFixed(1)} ${y(value).toFixed(1)}`)));
    this.#drawAhead(celsius, trips.critical, critical, y);
    set(this.element, "aria-label", words(known, trips));
  }

  #resize(width) {
    if (Math.abs(width - this.#width) < 1) return;
    this.#width = width;
    set(this.element, "viewBox", `0 0 ${width} ${HEIGHT}`);
    const now = this.#nowX();
    set(this.#now, "x1", now);
    set(this.#now, "x2", now);
    set(this.#nothing, "x", now / 2);
    const word = (at, anchor, text) => draw("text", { x: at, y: HEIGHT - 4, "text-anchor": anchor }, text);
    this.#words.replaceChildren(word(0, "start", "5 min ago"), word(now, "middle", "now"));
    if (this.#latest) this.show(...this.#latest);
  }

  /** Where the past ends and the next minute begins. */
  #nowX() {
    return ((this.#width - GUTTER) * SPAN_SECONDS) / (SPAN_SECONDS + AHEAD_SECONDS);
  }

  #drawTrips(trips, y) {
    const lines = STATES.filter((state) => trips[state] !== null);
    refill(this.#trips, JSON.stringify([this.#width, y(0), y(1), trips]), () => {
      this.#drawHeat(trips, y);
      let free = 0;
      return lines.map((state) => {
        const at = y(trips[state]);
        const label = Math.max(at + 3.5, free);
        free = label + LABEL_STEP;
        const line = draw("line", { x1: 0, x2: this.#width - GUTTER, y1: at, y2: at });
        const text = draw("text", { x: this.#width - GUTTER + 6, y: label }, `${degrees(trips[state])}° ${state}`);
        return draw("g", { class: "trip", "data-state": state }, line, text);
      });
    });
  }

  /** The line has the colour of the state that its height stands for. */
  #drawHeat(trips, y) {
    const at = (value) => Math.min(1, Math.max(0, (HEIGHT - y(value)) / HEIGHT));
    const bounds = [
      ["nominal", 0],
      ["warning", at(trips.warning)],
      ["critical", at(trips.critical)],
      ["shutdown", at(trips.shutdown)],
    ];
    const stops = bounds.flatMap(([state, from], index) =>
      [from, bounds[index + 1]?.[1] ?? 1].map((offset) => draw("stop", { offset, "data-state": state })),
    );
    this.#heat.replaceChildren(...stops);
  }

  #drawLine(runs) {
    const foot = (point) => `${point.split(" ")[0]} ${HEIGHT - BOTTOM}`;
    set(this.#line, "d", runs.map((run) => `M${run.join("L")}${run.length === 1 ? "h.1" : ""}`).join(""));
    set(this.#area, "d", runs.map((run) => `M${foot(run[0])}L${run.join("L")}L${foot(run.at(-1))}Z`).join(""));
    set(this.#nothing, "visibility", runs.length ? "hidden" : null);
  }

  /** A dashed line to the moment when it will be critical, if that is near enough to be drawn. */
  #drawAhead(celsius, limit, critical, y) {
    const now = this.#nowX();
    const here = celsius !== null;
    set(this.#mark, "cx", here ? now : null);
    set(this.#mark, "cy", here ? y(celsius).toFixed(1) : null);
    set(this.#mark, "visibility", here ? null : "hidden");
    const near = here && critical !== null && critical > 0 && critical <= AHEAD_SECONDS;
    const then = near ? now + (critical / SPAN_SECONDS) * now : 0;
    set(this.#ahead, "d", near ? `M${now} ${y(celsius).toFixed(1)}L${then.toFixed(1)} ${y(limit).toFixed(1)}` : null);
    set(this.#hit, "cx", near ? then.toFixed(1) : null);
    set(this.#hit, "cy", near ? y(limit).toFixed(1) : null);
    set(this.#hit, "visibility", near ? null : "hidden");
  }
}

function words(known, trips) {
  const limits = STATES.toReversed().map((state) => `${state} at ${degrees(trips[state])} °C`);
  if (!known.length) return `Temperature: nothing is known of the last five minutes; ${limits.join(", ")}`;
  const [low, high] = [Math.min(...known), Math.max(...known)].map(degrees);
  return `Temperature in the last five minutes: ${low} to ${high} °C; ${limits.join(", ")}`;
}
