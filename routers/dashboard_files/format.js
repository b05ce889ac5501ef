// Numbers and times as people read them. What nobody knows is "unknown", never 0.

export const UNKNOWN = "unknown";

const known = (value) => value !== null && value !== undefined;

/** Fewer digits after the point the larger it is; what is under 1 keeps two that say something. */
function digits(value, most = 1) {
  const size = Math.abs(value);
  if (size > 0 && size < 1) return value.toFixed(placesOf(size));
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? Math.min(most, 1) : most);
}

/** Digits after the point that show two that are not leading zeros. */
const placesOf = (size) => Math.min(Math.max(1 - Math.floor(Math.log10(size)), 0), 6);

function unit(value, name, most) {
  return known(value) ? `${digits(value, most)}\u00a0${name}` : UNKNOWN;
}

export const celsius = (value) => (known(value) ? `${value.toFixed(1)}\u00a0°C` : UNKNOWN);
export const degrees = (value) => (known(value) ? String(Number(value.toFixed(1))) : UNKNOWN);
export const number = (value) => (known(value) ? String(value) : UNKNOWN);
export const watts = (value) => unit(value, "W");
export const percent = (value) => (known(value) ? `${Math.round(value)}\u00a0%` : UNKNOWN);
export const share = (value) => (known(value) ? percent(value * 100) : UNKNOWN);
export const perSecond = (value) => unit(value, "tok/s");
export const perToken = (value) => unit(value, "J/tok", 2);
export const milliseconds = (seconds) => (known(seconds) ? `${digits(seconds * 1000)}\u00a0ms` : UNKNOWN);

export function clock(megahertz) {
  if (!known(megahertz)) return UNKNOWN;
  return megahertz >= 1000 ? `${(megahertz / 1000).toFixed(2)}\u00a0GHz` : `${Math.round(megahertz)}\u00a0MHz`;
}

export function memory(used, total) {
  const gib = (bytes) => (bytes / 2 ** 30).toFixed(1);
  if (!known(used)) return known(total) ? `${UNKNOWN} of ${gib(total)}\u00a0GiB` : UNKNOWN;
  return known(total) ? `${gib(used)} of ${gib(total)}\u00a0GiB` : `${gib(used)}\u00a0GiB`;
}

export function seconds(value) {
  if (!known(value)) return UNKNOWN;
  return value < 1 ? milliseconds(value) : value < 60 ? `${digits(value)}\u00a0s` : duration(value);
}

/** Whole units, the two largest: 42 s, 3 min, 1 h 5 min. */
export function duration(value) {
  if (!known(value)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(value));
  if (whole < 60) return `${whole}\u00a0s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}\u00a0min`;
  const minutes = Math.floor((whole % 3600) / 60);
  return `${Math.floor(whole / 3600)}\u00a0h${minutes ? ` ${minutes}\u00a0min` : ""}`;
}

/** A forecast is no stopwatch: steps of 5 s, then of 10 s, then minutes. */
export function about(value) {
  if (value < 10) return `${Math.max(1, Math.round(value))}\u00a0s`;
  if (value < 60) return `${Math.round(value / 5) * 5}\u00a0s`;
  return value < 120 ? `${Math.round(value / 10) * 10}\u00a0s` : `${Math.round(value / 60)}\u00a0min`;
}

/** `{joules, error_joules, source}`: 12.30 ± 0.50 J measured, as exact as its error lets it be. */
export function energy({ joules, error_joules: error, source }) {
  if (!known(joules)) return `energy ${UNKNOWN}`;
  if (!error) return `${digits(joules, 2)}\u00a0J ${source}`;
  const places = placesOf(error);
  return `${joules.toFixed(places)}\u00a0±\u00a0${error.toFixed(places)}\u00a0J ${source}`;
}

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

export const timeOfDay = (at) => time.format(new Date(at * 1000));
