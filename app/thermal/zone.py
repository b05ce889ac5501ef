"""The state a zone is in, given where it was and how hot it is now.

Up is at once, for safety does not wait: straight into what the temperature says. Down is calm: under the trip point by
the hysteresis, and no sooner than the dwell time after the change before. So no state is entered twice within the dwell
time, as long as the sensors are heard.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from dataclasses import replace
from typing import Any

from app.domain.thermal import Battery, Reading, ThermalState, TripPoints

_LADDER = (ThermalState.NOMINAL, ThermalState.WARNING, ThermalState.CRITICAL, ThermalState.SHUTDOWN)
_RUNG = {state: rung for rung, state in enumerate(_LADDER)}
_CRITICAL = _RUNG[ThermalState.CRITICAL]

_BELOW_SLOWDOWN = 5.0  # work moves away before the device slows down
_BELOW_SHUTDOWN = 2.0
_APART = 5.0  # there is time between a warning and what it warns of

_ENDLESS = sys.float_info.max  # infinity is garbage, too
_LIMIT = (math.nextafter(30.0, math.inf), 150.0)  # a limit that nobody has set reads as 0
_RANGES = (
    ("celsius", -40.0, 150.0),
    ("fan_percent", 0.0, 110.0),  # measured against a nominal top speed: some fans exceed it
    ("fan_rpm", 0.0, _ENDLESS),
    ("watts", 0.0, 100_000.0),
    ("joules", 0.0, _ENDLESS),
    ("utilisation", 0.0, 1.0),
    ("megahertz", 0.0, _ENDLESS),
    ("memory_used_bytes", 0, _ENDLESS),
    ("memory_total_bytes", 0, _ENDLESS),
    ("limit_slowdown_celsius", *_LIMIT),
    ("limit_shutdown_celsius", *_LIMIT),
)


def plausible(reading: Reading) -> Reading:
    """The reading without its garbage, field by field; the same object when there is none.

    What is not finite or not in its range becomes unknown, as does a battery without a percentage; a fan at 100 to 110
    percent is at 100.
    """
    mended: dict[str, Any] = {}
    for name, low, high in _RANGES:
        value = getattr(reading, name)
        if value is not None and not low <= value <= high:
            mended[name] = None
    fan, battery = reading.fan_percent, reading.battery
    if fan is not None and 100 < fan <= 110:
        mended["fan_percent"] = 100.0
    if battery is not None and (sound := _plausible_battery(battery)) is not battery:
        mended["battery"] = sound
    return replace(reading, **mended) if mended else reading


def _plausible_battery(battery: Battery) -> Battery | None:
    if not 0 <= battery.percent <= 100:
        return None
    if battery.watts is not None and not 0 <= battery.watts <= 100_000:
        return replace(battery, watts=None)
    return battery


def effective(trips: TripPoints, reading: Reading | None) -> TripPoints:
    """The trip points with the device's own limits heeded; never higher than configured, and the same object if equal.

    Critical is 5 degrees under where the device slows down, shutdown 2 under where it turns itself off. A device that
    only tells where it slows down has shutdown there: what it does beyond is nobody's plan. What is lowered pushes
    the points below it, down to 5 degrees apart, or as close as they were configured.
    """
    if reading is None or (reading.limit_slowdown_celsius is None and reading.limit_shutdown_celsius is None):
        return trips
    slowdown, off = reading.limit_slowdown_celsius, reading.limit_shutdown_celsius
    highest = off - _BELOW_SHUTDOWN if off is not None else slowdown
    shutdown = min(trips.shutdown, math.inf if highest is None else highest)
    critical = min(trips.critical, shutdown - min(_APART, trips.shutdown - trips.critical))
    if slowdown is not None:
        critical = min(critical, slowdown - _BELOW_SLOWDOWN)
    warning = min(trips.warning, critical - min(_APART, trips.critical - trips.warning))
    if (warning, critical, shutdown) == (trips.warning, trips.critical, trips.shutdown):
        return trips
    return replace(trips, warning=warning, critical=critical, shutdown=shutdown)


def next_state(
    state: ThermalState,
    since: float,
    reading: Reading | None,
    trips: TripPoints,
    now: float,
    dwell_seconds: float,
    cooled_at: float = -math.inf,
) -> ThermalState:
    """The state at `now` of a zone that has been in `state` since then, by its plausible reading (None: stale or lost).

    A device that is slowed down by heat is critical at least, however cool it seems. One that sleeps counts as cold,
    for it draws nothing. Nothing known is unknown at once, and left at once.

    `cooled_at` is when the zone last became nominal by cooling down: for the dwell time after that a warning waits too.
    Then a change within the dwell time of another is one into critical or shutdown, which safety asks for, or one of
    the two has to do with unknown. Without it nothing hotter ever waits.
    """
    if reading is None or not (reading.celsius is not None or reading.throttling or reading.asleep):
        return ThermalState.UNKNOWN
    least = _CRITICAL if reading.throttling else 0
    demanded = max(least, _rung(reading, trips, 0.0))
    if state is ThermalState.NOMINAL and demanded < _CRITICAL and now - cooled_at < dwell_seconds:
        return state
    if state is ThermalState.UNKNOWN or demanded >= _RUNG[state]:
        return _LADDER[demanded]
    if now - since < dwell_seconds or (reading.celsius is None and not reading.asleep):
        return state
    kept = max(least, _rung(reading, trips, trips.hysteresis))
    return _LADDER[min(_RUNG[state], kept)]


def _rung(reading: Reading, trips: TripPoints, hysteresis: float) -> int:
    """How many trip points are reached; with a hysteresis, how many are not left yet."""
    if reading.celsius is None:
        return 0
    return bisect_right((trips.warning, trips.critical, trips.shutdown), reading.celsius + hysteresis)
