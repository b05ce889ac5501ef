// A simulated zone can be held at a temperature, to see what the gateway makes of it.

import { put } from "./api.js";
import { make, say, set } from "./dom.js";
import { degrees } from "./format.js";

export class Hold {
  #slider;
  #value = make("output", { class: "hold-value" });
  #release = make("button", { type: "button", class: "quiet-button" }, "Release");
  #error = make("p", { class: "error", role: "alert", hidden: true });
  #path;
  #touched = false;

  constructor(zone) {
    this.#path = `admin/zones/${encodeURIComponent(zone.id)}`;
    this.#slider = make("input", {
      type: "range",
      min: 20,
      max: 110,
      step: 1,
      "aria-label": `Hold ${zone.id} at, in °C`,
    });
    this.#slider.addEventListener("input", () => this.#slide());
    this.#release.addEventListener("click", () => this.#send(null));
    const hold = make("button", { type: "submit", class: "main-button" }, "Hold");
    const row = make("div", { class: "hold-row" }, this.#slider, this.#value, hold, this.#release);
    this.element = make("form", { class: "hold" }, row, this.#error);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(Number(this.#slider.value));
    });
  }

  update(zone) {
    const held = zone.held?.celsius ?? null;
    this.#release.disabled = zone.held === null;
    set(this.element, "data-held", zone.held !== null);
    if (!this.#touched) {
      this.#slider.value = held ?? zone.celsius ?? this.#slider.value;
      this.#tell();
    }
  }

  #slide() {
    this.#touched = true;
    this.#tell();
  }

  #tell() {
    say(this.#value, `${degrees(Number(this.#slider.value))} °C`);
  }

  async #send(celsius) {
    try {
      await put(this.#path, { celsius });
      this.#error.hidden = true;
    } catch (error) {
      say(this.#error, error.message);
      this.#error.hidden = false;
    }
    this.#touched = false;
  }
}
