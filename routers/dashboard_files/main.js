// The page: what comes from the gateway goes to the parts that show it.

import { announce } from "./announce.js";
import { showBackends } from "./backends.js";
import { connect } from "./connection.js";
import { addDecision, prepareDecisions } from "./decisions.js";
import { byId, make, say, set } from "./dom.js";
import { showMode } from "./mode.js";
import { showZones } from "./zones.js";

function showState({ at, mode, zones, backends }) {
  byId("mode").hidden = byId("board").hidden = false;
  showMode(mode);
  showZones({ zones, at });
  showBackends(backends);
}

function showStatus(status, words) {
  const place = byId("connection");
  if (place.dataset.status === "live" && status === "lost") announce(words);
  set(place, "data-status", status);
  set(byId("board"), "data-live", status === "live");
  say(place, words);
}

/** A way back for whoever would not give a key at first. */
function unlock() {
  return new Promise((resolve) => {
    const button = make("button", { type: "button", class: "quiet-button" }, "Enter a key");
    button.addEventListener("click", resolve, { once: true });
    byId("connection").append(" ", button);
  });
}

prepareDecisions();
connect("admin/events", { state: showState, decision: addDecision }, showStatus, unlock);
