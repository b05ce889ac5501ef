// All zones, and a word about each change of state.

import { announce } from "./announce.js";
import { byId, keep, say } from "./dom.js";
import { celsius } from "./format.js";
import { ZoneCard } from "./zone.js";

const cards = new Map();
const states = new Map();

export function showZones({ zones, at }) {
  const items = zones.map((zone) => ({ zone, at }));
  keep(
    byId("zones-cards"),
    cards,
    items,
    ({ zone }) => zone.id,
    ({ zone }) => new ZoneCard(zone),
  );
  say(byId("zones-count"), zones.length ? String(zones.length) : "");
  byId("zones-empty").hidden = zones.length > 0;
  for (const zone of zones) {
    const before = states.get(zone.id);
    if (before && before !== zone.state) announce(`${zone.id} is ${zone.state}: ${celsius(zone.celsius)}`);
    states.set(zone.id, zone.state);
  }
}
