"""What goes on beside the requests, a few times a second: zones, the mode, energy, and what heat asks of answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

from app.domain.backend import Hardware
from app.domain.job import Workload
from app.domain.mode import Conditions, Mode
from app.domain.thermal import ThermalState, Zone
from app.relay.evacuation import evacuate
from app.relay.handoff import Mover
from app.relay.pace import pace
from app.routing.modes import AUTO, AutoRules, Choice, Facts, derive
from app.telemetry.energy import Meter
from app.thermal.monitor import Monitor
from backends.lane import Lane

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.25

_value = itemgetter(1)


@dataclass(frozen=True, slots=True)
class Regime:
    """What the configuration says of modes: `mode` is a name of `modes` or auto."""

    mode: str
    modes: Mapping[str, Mode]
    auto: AutoRules
    workloads: Mapping[Workload, frozenset[Hardware]]
    max_watts: float | None = None
    relax: bool = True
    least_duty: float = 0.1


class Thermostat:
    """`zones` and `conditions` are plain attributes that others read; nobody waits for a sensor."""

    def __init__(
        self,
        regime: Regime,
        monitor: Monitor,
        lanes: Mapping[str, Lane],
        mover: Mover,
        meters: Mapping[str, Meter],
        clock: Callable[[], float],
        local_time: Callable[[], datetime] = datetime.now,
        mode: str | None = None,
    ) -> None:
        self.regime = regime
        self.monitor = monitor
        self.mode = regime.mode if mode is None else mode
        self._lanes = lanes
        self._mover = mover
        self._meters = meters
        self._clock = clock
        self._local_time = local_time
        self._choice: Choice | None = None
        self.conditions = self._conditions()

    @property
    def zones(self) -> Mapping[str, Zone]:
        return self.monitor.zones

    def choose(self, mode: str) -> None:
        """Another mode from now on; the name is one of the regime's, or auto."""
        self.mode = mode
        self._renew()

    def hold(self, zone_id: str, values: Mapping[str, object]) -> None:
        """Tell a simulated zone what to measure. Raises LookupError for another one."""
        now = self._clock()
        self.monitor.hold(zone_id, values, now)
        self._mark()
        self._renew()
        self._evacuate(now)

    def look(self, now: float) -> None:
        """One tick."""
        self.monitor.look(now)
        self._mark()
        for name, meter in self._meters.items():
            watched = self.monitor.watched.get(name)
            meter.read(*(watched.metered() if watched is not None else (None, None)))
        self._renew()
        pace(self._mover.running(), self._lanes, self.zones, self.regime.least_duty)
        self._evacuate(now)

    def watts(self) -> float | None:
        """What all zones draw now: measured, or by the nameplates of what works there; None where neither is known.

        What a cloud draws is drawn elsewhere.
        """
        total = 0.0
        unmeasured = {lane.profile.zone for lane in self._lanes.values()}
        for zone in self.zones.values():
            if zone.watts is not None:
                total += zone.watts
                unmeasured.discard(zone.id)
        for lane in self._lanes.values():
            here = lane.profile.hardware is not Hardware.CLOUD
            if here and lane.busy and lane.profile.zone in unmeasured:
                if lane.profile.watts is None:
                    return None
                total += lane.profile.watts
        return total

    def _evacuate(self, now: float) -> None:
        evacuate(self._mover, self.zones, now, pacing=self.regime.least_duty < 1)

    def _mark(self) -> None:
        """Whoever waits for a place sees from one attribute whether it is still cool enough there."""
        zones = self.zones
        for lane in self._lanes.values():
            zone = zones.get(lane.profile.zone or "")
            lane.hot = zone is not None and zone.state in (ThermalState.CRITICAL, ThermalState.SHUTDOWN)

    def _renew(self) -> None:
        old, new = self.conditions, self._conditions()
        if new == old:
            return
        self.conditions = new
        if new.mode is not old.mode:
            logger.info("mode %s -> %s: %s", old.mode.name, new.mode.name, new.why)

    def _conditions(self) -> Conditions:
        regime = self.regime
        name, why = self.mode, "it was chosen"
        if name == AUTO:
            self._choice = derive(self._facts(), self._choice, regime.auto)
            name, why = self._choice.mode, self._choice.why
        return Conditions(
            mode=regime.modes[name],
            why=why,
            quick=regime.modes["performance"],
            frugal=regime.modes["efficiency"],
            workloads=regime.workloads,
            watts_left=self._watts_left(),
            relax=regime.relax,
        )

    def _watts_left(self) -> float | None:
        drawn = self.watts() if self.regime.max_watts is not None else None
        return None if self.regime.max_watts is None or drawn is None else self.regime.max_watts - drawn

    def _facts(self) -> Facts:
        zones = self.zones.values()
        hot = [(zone.id, zone.celsius) for zone in zones if zone.celsius is not None]
        loud = [(zone.id, zone.fan_percent) for zone in zones if zone.fan_percent is not None]
        batteries = [zone.reading.battery for zone in zones if zone.reading is not None and zone.reading.battery]
        return Facts(
            time_of_day=self._local_time().time(),
            battery=batteries[0] if batteries else None,
            hottest=max(hot, key=_value, default=None),
            loudest=max(loud, key=_value, default=None),
        )


def carried_over(regime: Regime, old: Thermostat) -> str:
    """The mode under a new configuration: the one that a person chose stays, unless another one is configured now."""
    return old.mode if regime.mode == old.regime.mode else regime.mode
