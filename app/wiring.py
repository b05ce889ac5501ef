"""From settings to a Gateway: the only place where things are built from kinds."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from app.catalogue.cache import Cache
from app.catalogue.catalogue import Catalogue
from app.confidence.calibration import UnusableCalibrationError, read_calibration
from app.confidence.judge import Judge
from app.domain.confidence import Forwarding
from app.domain.errors import ConfigurationError
from app.gateway import Gateway
from app.keyring import Client, Keyring
from app.loader import load
from app.relay.destinations import Limits, Surroundings
from app.relay.directory import Directory
from app.relay.handoff import Mover
from app.relay.landing import Landing
from app.relay.policies import Estimates, Policies
from app.relay.relay import Relay
from app.relay.watch import Watchman
from app.routing.rule import KINDS as RULES
from app.telemetry.decisions import Decisions
from app.telemetry.energy import Meter
from app.telemetry.feedback import Feedback, default_file
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from app.thermal.monitor import Monitor
from app.thermostat import Thermostat, carried_over
from app.zones import Workforce, regime, watch_zones
from backends.base import KINDS, BackendSettings, Resources
from backends.lane import Lane
from config.kinds import read_kind
from config.settings import Settings

logger = logging.getLogger(__name__)

#: The one that comes along.
CALIBRATION = Path(__file__).parent.parent / "config" / "calibration.json"

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Parts:
    """What outlives a reload. `meters` are by the names that profiles have for them."""

    resources: Resources
    watchman: Watchman
    metrics: Metrics
    decisions: Decisions
    clock: Clock
    ledger: Ledger
    meters: dict[str, Meter]
    mover: Mover
    workforce: Workforce
    local_time: Callable[[], datetime]

    @classmethod
    def of(
        cls,
        resources: Resources,
        watchman: Watchman,
        decisions: Decisions,
        clock: Clock,
        local_time: Callable[[], datetime] = datetime.now,
    ) -> Self:
        """Nothing was counted and nothing runs yet."""
        metrics, meters, ledger = Metrics(), dict[str, Meter](), Ledger()
        mover = Mover(watchman, metrics, Landing(clock, metrics, meters, ledger))
        return cls(resources, watchman, metrics, decisions, clock, ledger, meters, mover, Workforce(), local_time)


def read_backends(settings: Settings) -> list[BackendSettings]:
    """Each backend's settings, checked by its kind. Raises ConfigurationError with the YAML path."""
    zones = {zone.id for zone in settings.zones}
    found: list[BackendSettings] = []
    for index, options in enumerate(settings.backends):
        path = f"backends[{index}]"
        backend = read_kind(options, KINDS, BackendSettings, path, "backend")
        if any(other.id == backend.id for other in found):
            raise ConfigurationError(f"another backend is called '{backend.id}' already", f"{path}.id")
        if backend.zone is not None and backend.zone not in zones:
            raise ConfigurationError(f"there is no zone '{backend.zone}' under `zones`", f"{path}.zone")
        found.append(backend)
    return found


def build(settings: Settings, parts: Parts, previous: Gateway | None = None) -> Gateway:
    """A gateway that is not started yet; lanes whose settings did not change are taken over as they run."""
    running = {} if previous is None else previous.lanes
    backends = read_backends(settings)
    lanes: dict[str, Lane] = {}
    for backend in backends:
        old = running.get(backend.id)
        lanes[backend.id] = old if old is not None and old.settings == backend else _lane(backend, parts)
    for lane in lanes.values():
        parts.meters.setdefault(lane.profile.meter, Meter())
    policies = read_policies(settings)
    relay = Relay(lanes, parts.watchman, parts.metrics, parts.meters, parts.ledger, parts.mover, policies)
    return Gateway(
        settings=settings,
        keyring=_keyring(settings, parts.clock),
        lanes=lanes,
        directory=Directory(lanes, settings.routing.aliases),
        rules=tuple(load(kind, RULES) for kind in RULES),
        relay=relay,
        thermostat=_thermostat(settings, backends, lanes, parts, previous),
        decisions=parts.decisions,
        feedback=_feedback(settings),
        ledger=parts.ledger,
        metrics=parts.metrics,
        clock=parts.clock,
    )


def read_policies(settings: Settings) -> Policies:
    """A calibration that can't be used is told of, in the log and with each answer; the one that comes along counts."""
    wanted, note = settings.confidence.calibration, None
    calibration = read_calibration(CALIBRATION.read_bytes())
    if wanted is not None:
        try:
            calibration = read_calibration(wanted.expanduser().read_bytes())
        except (OSError, UnusableCalibrationError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            note = f"the calibration {wanted.name} is not used: {why}"
            logger.warning("%s", note)
    return Policies(
        Judge(calibration, settings.confidence.prior, note),
        Estimates(settings.confidence.estimates),
        {name: Forwarding(**dict(each)) for name, each in settings.confidence.forwarding.items()},
    )


def _feedback(settings: Settings) -> Feedback:
    chosen = settings.telemetry.feedback
    return Feedback(default_file(os.environ) if chosen is None else chosen.expanduser())


def surroundings(gateway: Gateway) -> Surroundings:
    """What running answers go by when they move."""
    limits = gateway.settings.handoff
    return Surroundings(
        lanes=gateway.lanes,
        decide=gateway.decide,
        zones=lambda: gateway.thermostat.zones,
        limits=Limits(limits.max_moves, limits.cooldown_seconds, limits.max_wait_seconds),
    )


def _thermostat(
    settings: Settings,
    backends: Sequence[BackendSettings],
    lanes: Mapping[str, Lane],
    parts: Parts,
    previous: Gateway | None,
) -> Thermostat:
    """Zones whose settings and hardware did not change go on as they are watched."""
    old = {} if previous is None else previous.thermostat.monitor.watched
    watched = [
        each if (known := old.get(each.plan.id)) is None or known.origin != each.origin else known
        for each in watch_zones(settings, backends, parts.workforce, parts.clock)
    ]
    new = regime(settings.routing)
    mode = new.mode if previous is None else carried_over(new, previous.thermostat)

    def busy(zone_id: str) -> bool:
        meter = parts.meters.get(zone_id)
        at_work = any(lane.busy for lane in lanes.values() if lane.profile.zone == zone_id)
        return at_work or (meter is not None and meter.waits)

    return Thermostat(
        new, Monitor(watched, busy), lanes, parts.mover, parts.meters, parts.clock, parts.local_time, mode
    )


def _lane(settings: BackendSettings, parts: Parts) -> Lane:
    backend = load(settings.kind, KINDS)(settings, parts.resources)
    return Lane(backend, settings, parts.clock)


def _keyring(settings: Settings, clock: Clock) -> Keyring:
    clients = [
        (
            key.key.get_secret_value(),
            Client(
                key.name,
                models=key.models,
                requests_per_minute=key.requests_per_minute,
                max_watts=key.max_watts,
                watt_hours_per_day=key.watt_hours_per_day,
            ),
        )
        for key in settings.server.api_keys
    ]
    admins = [(key.key.get_secret_value(), Client(key.name, admin=True)) for key in settings.server.admin_keys]
    return Keyring(clients + admins, clock)


def model_finder(catalogue: Catalogue, cache: Cache) -> Callable[[str], Path]:
    """Where a model is: a path as it stands, or a catalogue name once it has been fetched."""

    def find(model: str) -> Path:
        path = Path(model).expanduser()
        if os.sep in model or path.suffix == ".gguf":
            if path.exists():
                return path
            raise ConfigurationError(f"there is no file {model}")
        entry = catalogue.find(model)
        if not cache.present(entry):
            raise ConfigurationError(f"the model {model} is not here yet; `isotherm models pull {model}` fetches it")
        return cache.file(entry, entry.files[0].name) if len(entry.files) == 1 else cache.directory(entry)

    return find
