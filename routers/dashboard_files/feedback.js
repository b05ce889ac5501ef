// Whether an answer was right: said by whoever has read it, and kept by the gateway to learn from.

import { post } from "./api.js";
import { make, say, set } from "./dom.js";

const QUESTION = "Was this answer right?";
const CHOICES = { right: true, wrong: false };
const ENDED = ["completed", "left"]; // what may have been read

export class Feedback {
  #buttons = Object.entries(CHOICES).map(([word, correct]) => this.#button(word, correct));
  #told = make("span", { role: "status" });
  #error = make("p", { class: "error", role: "alert", hidden: true });
  #record = null;
  #busy = false;

  constructor() {
    const row = make("div", { class: "feedback-row" }, QUESTION, ...this.#buttons, this.#told);
    this.element = make("div", { class: "feedback", role: "group", "aria-label": QUESTION }, row, this.#error);
  }

  update(record) {
    if (this.#record?.at !== record.at) this.#forget(); // another request took its id
    this.#record = record;
    this.element.hidden = !ENDED.includes(record.outcome) || !record.model || record.endpoint === "embed";
  }

  #forget() {
    for (const button of this.#buttons) set(button, "aria-pressed", "false");
    say(this.#told, "");
    this.#error.hidden = true;
  }

  #button(word, correct) {
    const made = make("button", { type: "button", class: "quiet-button", "aria-pressed": "false" }, word);
    made.addEventListener("click", () => this.#send(word, correct));
    return made;
  }

  /** One after the other: what was said last has to be what is kept. */
  async #send(word, correct) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await post(`admin/decisions/${encodeURIComponent(this.#record.request_id)}/feedback`, { correct });
      for (const button of this.#buttons) set(button, "aria-pressed", String(button.textContent === word));
      say(this.#told, `stored as ${word}`);
      this.#error.hidden = true;
    } catch (error) {
      say(this.#error, error.message);
      this.#error.hidden = false;
    } finally {
      this.#busy = false;
    }
  }
}
