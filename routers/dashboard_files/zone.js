// One zone as a card: how hot it is, where that goes, and what its sensors say.

import { Curve } from "./curve.js";
import { make, refill, say, set } from "./dom.js";
import * as format from "./format.js";
import { History } from "./history.js";
import { Hold } from "./hold.js";

const OLD_SECONDS = 10;

export class ZoneCard {
  #history = new History();
  #curve = new Curve();
  #state = make("p", { class: "state" });
  #badges = make("p", { class: "badges" });
  #celsius = make("p", { class: "celsius" });
  #headroom = make("p", { class: "headroom" });
  #forecast = make("p", { class: "forecast" });
  #facts = make("dl", { class: "facts" });
  #foot = make("p", { class: "faint" });
  #lost = make("ul", { class: "lost" });
  #hold = null;

  constructor(zone) {
    const title = make("h3", { class: "name" }, zone.id);
    const now = make(
      "div",
      { class: "now" },
      this.#celsius,
      make("div", {}, this.#headroom, this.#forecast, this.#badges),
    );
    const head = make("header", {}, title, this.#state);
    const parts = [head, now, this.#curve.element, this.#facts, this.#foot, this.#lost];
    this.element = make("article", { class: "card zone", "aria-label": `Zone ${zone.id}` }, ...parts);
  }

  /** `zone` as /admin/zones describes it, at that moment of the gateway's clock. */
  update({ zone, at }) {
    if (zone.history) this.#history.fill(zone.history, at);
    this.#history.add(at, zone.celsius);
    set(this.element, "data-state", zone.state);
    this.#showState(zone);
    this.#showHeat(zone);
    this.#curve.show(this.#history.before(at), zone.celsius, zone.trips, zone.seconds_until_critical);
    const facts = factsOf(zone);
    refill(this.#facts, JSON.stringify(facts), () => facts.map(([name, value]) => fact(name, value)));
    const lost = zone.sensors.filter((sensor) => sensor.lost !== null);
    refill(this.#lost, JSON.stringify(lost), () =>
      lost.map((sensor) => make("li", {}, `${sensor.kind} is lost: ${sensor.lost}`)),
    );
    say(this.#foot, foot(zone));
    this.#offerHold(zone);
  }

  #showState(zone) {
    refill(this.#state, zone.state, () => [
      make("span", { class: "glyph", "aria-hidden": "true" }),
      make("span", { class: "state-word" }, zone.state),
      make("span", { class: "since" }),
    ]);
    say(this.#state.lastElementChild, `for ${format.duration(zone.seconds_in_state)}`);
    const badges = badgesOf(zone);
    refill(this.#badges, badges.join(), () => badges.map((badge) => make("span", { class: "badge" }, badge)));
  }

  #showHeat(zone) {
    say(this.#celsius, format.celsius(zone.celsius));
    set(this.#celsius, "data-unknown", zone.celsius === null);
    say(this.#headroom, headroom(zone.headroom_celsius));
    const soon = zone.seconds_until_critical;
    say(this.#forecast, soon !== null && soon > 0 ? `critical in about ${format.about(soon)}` : "");
  }

  #offerHold(zone) {
    if (zone.settable && !this.#hold) {
      this.#hold = new Hold(zone);
      this.element.append(this.#hold.element);
    } else if (!zone.settable && this.#hold) {
      this.#hold.element.remove();
      this.#hold = null;
    }
    this.#hold?.update(zone);
  }
}

function headroom(celsius) {
  if (celsius === null) return "headroom unknown";
  const far = `${format.degrees(Math.abs(celsius))}\u00a0°C`;
  return celsius < 0 ? `${far} past critical` : `${far} below critical`;
}

function badgesOf(zone) {
  return [
    zone.throttling && "throttling",
    zone.held && "held",
    zone.asleep && "asleep, left unread",
    zone.modelled && "modelled, not measured",
    zone.age_seconds > OLD_SECONDS && `read ${format.duration(zone.age_seconds)} ago`,
  ].filter(Boolean);
}

/** What everybody wants to know is always there; the rest where it is known. */
function factsOf(zone) {
  const facts = [
    ["Power", format.watts(zone.watts)],
    ["Load", format.share(zone.utilisation)],
    ["Fan", fan(zone)],
  ];
  if (zone.megahertz !== null) facts.push(["Clock", format.clock(zone.megahertz)]);
  if (zone.memory_total_bytes !== null || zone.memory_used_bytes !== null) {
    facts.push(["Memory", format.memory(zone.memory_used_bytes, zone.memory_total_bytes)]);
  }
  if (zone.battery) facts.push(["Battery", battery(zone.battery)]);
  return facts;
}

function fan(zone) {
  const speeds = [];
  if (zone.fan_percent !== null) speeds.push(format.percent(zone.fan_percent));
  if (zone.fan_rpm !== null) speeds.push(`${Math.round(zone.fan_rpm)}\u00a0rpm`);
  if (zone.noise) speeds.push(zone.noise);
  return speeds.join(", ") || format.UNKNOWN;
}

function battery({ percent, plugged, watts }) {
  if (plugged) return `${format.percent(percent)}, plugged in`;
  return `${format.percent(percent)}, gives ${format.watts(watts)}`;
}

function fact(name, value) {
  const unknown = value === format.UNKNOWN;
  return make("div", {}, make("dt", {}, name), make("dd", { "data-unknown": unknown }, value));
}

function foot(zone) {
  const kinds =
    zone.sensors
      .filter(({ lost }) => lost === null)
      .map(({ kind }) => kind)
      .join(", ") || "none";
  const unknown =
    zone.state === "unknown" && (zone.unknown === "avoid" ? "gets no work while unknown" : "gets work though unknown");
  const heated = `heated by ${zone.backends.join(", ") || "no backend"}`;
  return [`sensors: ${kinds}`, heated, unknown].filter(Boolean).join(" · ");
}
