"""From settings to watched zones and the regime of modes: what the configuration says of heat, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import time
from functools import partial

from app.domain.backend import Hardware
from app.domain.errors import ConfigurationError
from app.domain.mode import Mode
from app.domain.thermal import FanPoints, TripPoints
from app.loader import load
from app.routing.modes import AUTO, MODES, WORKLOADS, AutoRules
from app.thermal.poller import Poller
from app.thermal.sensor import KINDS, SensorSettings, Surroundings, Work
from app.thermal.watched import WatchedZone, ZonePlan
from app.thermostat import Regime
from backends.base import BackendSettings
from backends.lane import Lane
from config.kinds import read_kind
from config.settings import Auto, ModeLimits, Routing, Settings, Zone

Clock = Callable[[], float]


def read_sensors(settings: Settings) -> dict[str, list[SensorSettings]]:
    """The sensors of each zone, checked by their kinds. Raises ConfigurationError with the YAML path."""
    found: dict[str, list[SensorSettings]] = {}
    for index, zone in enumerate(settings.zones):
        if zone.id in found:
            raise ConfigurationError(f"another zone is called '{zone.id}' already", f"zones[{index}].id")
        path, many = f"zones[{index}].sensor", len(zone.sensor) > 1
        found[zone.id] = [
            _read_sensor(options, f"{path}[{place}]" if many else path, zone.stale_after_seconds)
            for place, options in enumerate(zone.sensor)
        ]
    return found


def _read_sensor(options: dict[str, object], path: str, stale_after_seconds: float) -> SensorSettings:
    sensor = read_kind(options, KINDS, SensorSettings, path, "sensor")
    for name in ("busy_seconds", "idle_seconds"):
        if getattr(sensor, name) >= stale_after_seconds:
            stale = f"after {stale_after_seconds:g} s its reading is stale: see `stale_after_seconds`"
            raise ConfigurationError(stale, f"{path}.{name}")
    return sensor


class Workforce:
    """What the backends of each zone have done so far; `lanes` are those of the moment, whatever a reload changes."""

    def __init__(self) -> None:
        self.lanes: Mapping[str, Lane] = {}

    def work(self, zone_id: str, now: float) -> tuple[Work, ...]:
        """Asked by sensors, from the thread that reads them."""
        lanes = [lane for lane in self.lanes.values() if lane.profile.zone == zone_id]
        return tuple(Work(lane.profile.id, lane.profile.watts, lane.worked(now)) for lane in lanes)


def watch_zones(
    settings: Settings, backends: Sequence[BackendSettings], workforce: Workforce, clock: Clock
) -> Iterator[WatchedZone]:
    """Zones that nobody watches yet, in the order of the configuration. Raises ConfigurationError."""
    sensors = read_sensors(settings)
    for zone in settings.zones:
        hardware = hardware_in(zone.id, backends)
        around = Surroundings(zone.id, hardware, partial(workforce.work, zone.id))
        pollers = [Poller(load(each.kind, KINDS)(each, around), each, clock) for each in sensors[zone.id]]
        yield WatchedZone(_plan(zone), pollers, clock(), origin=(zone, hardware))


def hardware_in(zone_id: str, backends: Sequence[BackendSettings]) -> frozenset[Hardware]:
    return frozenset(backend.hardware for backend in backends if backend.zone == zone_id)


def _plan(zone: Zone) -> ZonePlan:
    return ZonePlan(
        zone.id,
        TripPoints(**zone.trips.model_dump()),
        FanPoints(**zone.fans.model_dump()),
        avoid_unknown=zone.unknown == "avoid",
        dwell_seconds=zone.dwell_seconds,
        stale_after_seconds=zone.stale_after_seconds,
    )


def regime(routing: Routing) -> Regime:
    """The modes as configured. Raises ConfigurationError for a name that is none."""
    for name in routing.modes:
        if name not in MODES:
            raise ConfigurationError(f"there is no such mode; there are {', '.join(MODES)}", f"routing.modes.{name}")
    check_mode(routing.mode, "routing.mode")
    modes = {name: _changed(mode, routing.modes.get(name)) for name, mode in MODES.items()}
    workloads = {**WORKLOADS, **{kind: frozenset(hardware) for kind, hardware in routing.workloads.items()}}
    return Regime(
        mode=routing.mode,
        modes=modes,
        auto=_auto(routing.auto),
        workloads=workloads,
        max_watts=routing.max_watts,
        relax=routing.on_no_candidate == "relax",
        least_duty=routing.pace,
    )


def check_mode(name: str, path: str) -> None:
    """Raises ConfigurationError for a name that is no mode."""
    if name not in MODES and name != AUTO:
        raise ConfigurationError(f"there is no mode '{name}'; there are {', '.join((*MODES, AUTO))}", path)


def _changed(mode: Mode, limits: ModeLimits | None) -> Mode:
    """A mode with what the configuration says of it, null included."""
    return (
        mode if limits is None else replace(mode, **{name: getattr(limits, name) for name in limits.model_fields_set})
    )


def _auto(auto: Auto) -> AutoRules:
    first, last = (None, None) if auto.quiet_hours is None else map(time.fromisoformat, auto.quiet_hours.split("-"))
    return AutoRules(
        battery_low_percent=auto.battery_low_percent,
        battery_half_percent=auto.battery_half_percent,
        quiet_from=first,
        quiet_until=last,
        hot_celsius=auto.hot_celsius,
        loud_fan_percent=auto.loud_fan_percent,
    )
