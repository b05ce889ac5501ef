// The mode in force, why, and the switch.

import { put } from "./api.js";
import { announce } from "./announce.js";
import { byId, make, refill, say, set } from "./dom.js";
import { watts as formatWatts } from "./format.js";

let inForce = null;

export function showMode(mode) {
  const limits = mode.modes.find(({ name }) => name === mode.in_force);
  say(byId("mode-in-force"), mode.in_force);
  say(byId("mode-why"), mode.mode === mode.in_force ? mode.why : `${mode.mode}: ${mode.why}`);
  say(byId("mode-limits"), limits ? words(limits, mode.watts_left ?? null) : "");
  const names = ["auto", ...mode.modes.map(({ name }) => name)];
  refill(byId("mode-switch"), names.join(), () => names.map(button));
  for (const each of byId("mode-switch").children) {
    set(each, "aria-pressed", String(each.value === mode.mode));
    set(each, "data-in-force", each.value === mode.in_force);
  }
  if (inForce !== null && inForce !== mode.in_force) announce(`mode ${mode.in_force}: ${mode.why}`);
  inForce = mode.in_force;
}

function button(name) {
  const made = make("button", { type: "button", value: name }, name);
  made.addEventListener("click", () => choose(name));
  return made;
}

async function choose(mode) {
  const error = byId("mode-error");
  try {
    await put("admin/mode", { mode });
    error.hidden = true;
  } catch (failure) {
    say(error, failure.message);
    error.hidden = false;
  }
}

function words({ order, max_watts: watts, max_fan_percent: fan, max_celsius: celsius }, left) {
  const limits = [
    watts === null ? "any power" : `up to ${watts}\u00a0W`,
    `fan up to ${fan}\u00a0%`,
    `up to ${celsius}\u00a0°C`,
  ];
  if (left !== null) limits.push(`${formatWatts(left)} of the budget left`);
  return [order.join(" → "), ...limits].join(" · ");
}
