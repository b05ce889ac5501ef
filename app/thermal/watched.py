"""One zone with its sensors: what they measure becomes its state, its curve and its forecast."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from app.domain.thermal import FanPoints, Reading, ThermalState, TripPoints, Zone
from app.thermal.curve import Curve
from app.thermal.forecast import forecast
from app.thermal.merge import merge
from app.thermal.poller import Poller
from app.thermal.zone import effective, next_state

logger = logging.getLogger(__name__)

_NEAR_KELVIN = 10.0  # under the warning point: from there on a zone is watched as closely as a warm one
_FITTED_SECONDS = 90.0
_FORECAST_EVERY_SECONDS = 1.0


@runtime_checkable
class Settable(Protocol):
    """A sensor that can be told what to measure."""

    held: Mapping[str, object]

    def hold(self, values: Mapping[str, object]) -> None:
        """Fields of a reading that stay so; None lets one go."""


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """What the configuration says of a zone."""

    id: str
    trips: TripPoints
    fans: FanPoints
    avoid_unknown: bool = False
    dwell_seconds: float = 10.0
    stale_after_seconds: float = 15.0


class WatchedZone:
    """One zone with its sensors, its curve and its state of the moment.

    `origin` is what it was made from: one that would be made from the same can go on in its place.
    """

    def __init__(self, plan: ZonePlan, pollers: Sequence[Poller], now: float, origin: object = None) -> None:
        self.plan = plan
        self.origin = origin
        self.pollers = tuple(pollers)
        self.curve = Curve()
        self.zone = Zone(
            plan.id, ThermalState.UNKNOWN, now, plan.trips, fans=plan.fans, avoid_unknown=plan.avoid_unknown
        )
        self.lost: tuple[str | None, ...] = (None,) * len(self.pollers)
        self._seen: tuple[Reading | None, ...] = ()
        self._cooled_at = -math.inf
        self._forecast_at = now
        self._began = now

    def settled(self) -> bool:
        """Whether every sensor has answered once, well or not."""
        return all(poller.reading is not None or poller.lost is not None for poller in self.pollers)

    def settable(self) -> Settable | None:
        """The sensor that can be told what to measure, if there is one."""
        return next((poller.sensor for poller in self.pollers if isinstance(poller.sensor, Settable)), None)

    def hold(self, values: Mapping[str, object]) -> bool:
        """Tell its settable sensors what to measure, and read them at once; False when it has none."""
        found = False
        for poller in self.pollers:
            if isinstance(poller.sensor, Settable):
                poller.sensor.hold(values)
                poller.read()
                found = True
        return found

    def metered(self) -> tuple[Reading | None, Poller | None]:
        """What the sensor that knows most of the zone's energy says (a counter, else power), and which one that is."""
        known = [(reading, poller) for reading, poller in zip(self._seen, self.pollers, strict=False) if reading]
        counting = (each for each in known if each[0].joules is not None)
        drawing = (each for each in known if each[0].watts is not None)
        return next(counting, None) or next(drawing, (None, None))

    def look(self, now: float, *, busy: bool) -> bool:
        """Take what the sensors have measured; whether that made another zone of it."""
        readings = tuple([self._fresh(poller, now) for poller in self.pollers])
        before = self.zone
        self._tell_losses(now)
        if readings != self._seen or before.state is not ThermalState.NOMINAL:
            self._seen = readings
            self._renew([reading for reading in readings if reading is not None], now)
        for poller in self.pollers:
            poller.pace(busy=busy or self._warm())
        return self.zone is not before

    def _fresh(self, poller: Poller, now: float) -> Reading | None:
        reading = poller.reading
        return reading if reading is not None and now - reading.at <= self.plan.stale_after_seconds else None

    def _renew(self, readings: Sequence[Reading], now: float) -> None:
        plan, old = self.plan, self.zone
        reading = merge(readings) if readings else None
        trips = effective(plan.trips, reading)
        state = next_state(old.state, old.since, reading, trips, now, plan.dwell_seconds, self._cooled_at)
        if reading == old.reading and state is old.state:
            return
        if reading is not None and reading.celsius is not None and reading != old.reading:
            self.curve.add(reading.at, reading.celsius)
        prospect = old.forecast
        if reading is None or reading.celsius is None:
            prospect = None
        elif now - self._forecast_at >= _FORECAST_EVERY_SECONDS:
            self._forecast_at = now
            prospect = forecast(self.curve.samples(_FITTED_SECONDS), now)
        if state is ThermalState.NOMINAL and old.state not in (state, ThermalState.UNKNOWN):
            self._cooled_at = now
        since = old.since if state is old.state else now
        self.zone = Zone(plan.id, state, since, trips, plan.fans, reading, prospect, plan.avoid_unknown)
        if state is not old.state:
            self._tell_state(old)

    def _warm(self) -> bool:
        zone = self.zone
        if zone.state is ThermalState.UNKNOWN:
            return False
        return zone.state is not ThermalState.NOMINAL or (
            zone.celsius is not None and zone.celsius >= zone.trips.warning - _NEAR_KELVIN
        )

    def _tell_state(self, old: Zone) -> None:
        zone = self.zone
        grave = zone.state in (ThermalState.CRITICAL, ThermalState.SHUTDOWN)
        degrees = "at an unknown temperature" if zone.celsius is None else f"at {zone.celsius:.0f} °C"
        level = logging.WARNING if grave else logging.INFO
        logger.log(level, "zone %s: %s -> %s, %s", zone.id, old.state, zone.state, degrees)

    def _tell_losses(self, now: float) -> None:
        """Once when a sensor is lost, once when it is back."""
        lost = tuple([self._loss(poller, now) for poller in self.pollers])
        for poller, before, reason in zip(self.pollers, self.lost, lost, strict=True):
            if reason is not None and before is None:
                logger.warning("zone %s: its sensor %s is lost: %s", self.plan.id, poller.settings.kind, reason)
            elif reason is None and before is not None:
                logger.info("zone %s: its sensor %s is back", self.plan.id, poller.settings.kind)
        self.lost = lost

    def _loss(self, poller: Poller, now: float) -> str | None:
        if poller.lost is not None:
            return poller.lost
        since = self._began if poller.reading is None else poller.reading.at
        if now - since > self.plan.stale_after_seconds:
            return f"it has said nothing for more than {self.plan.stale_after_seconds:g} s"
        return None
