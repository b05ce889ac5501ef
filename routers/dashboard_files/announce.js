// What a screen reader should say; what comes within a moment is said together.

import { byId } from "./dom.js";

const TOGETHER_MS = 300;
let sentences = [];

export function announce(sentence) {
  if (!sentences.length) {
    setTimeout(() => {
      byId("announcer").textContent = sentences.join(". ");
      sentences = [];
    }, TOGETHER_MS);
  }
  sentences.push(sentence);
}
