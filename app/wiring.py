"""From settings to a Gateway: the only place where things are built from kinds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from app.catalogue.cache import Cache
from app.catalogue.catalogue import Catalogue
from app.domain.errors import ConfigurationError
from app.gateway import Gateway
from app.keyring import Client, Keyring
from app.loader import load
from app.relay.directory import Directory
from app.relay.relay import Relay
from app.relay.watch import Watchman
from app.routing.rule import KINDS as RULES
from app.telemetry.decisions import Decisions
from app.telemetry.metrics import Metrics
from backends.base import KINDS, BackendSettings, Resources
from backends.lane import Lane
from config.problems import problem
from config.settings import Settings

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Parts:
    """What outlives a reload."""

    resources: Resources
    watchman: Watchman
    metrics: Metrics
    decisions: Decisions
    clock: Clock


def read_backends(settings: Settings) -> list[BackendSettings]:
    """Each backend's settings, checked by its kind. Raises ConfigurationError with the YAML path."""
    zones = {zone.id for zone in settings.zones}
    found: list[BackendSettings] = []
    for index, options in enumerate(settings.backends):
        path = f"backends[{index}]"
        backend = _read_backend(options, path)
        if any(other.id == backend.id for other in found):
            raise ConfigurationError(f"another backend is called '{backend.id}' already", f"{path}.id")
        if backend.zone is not None and backend.zone not in zones:
            raise ConfigurationError(f"there is no zone '{backend.zone}' under `zones`", f"{path}.zone")
        found.append(backend)
    return found


def _read_backend(options: dict[str, object], path: str) -> BackendSettings:
    kind = options.get("kind")
    if not isinstance(kind, str):
        raise ConfigurationError(f"`kind` is missing: one of {', '.join(sorted(KINDS))}", path)
    try:
        model: type[BackendSettings] | None = getattr(load(kind, KINDS), "Settings", None)
    except ConfigurationError as error:
        raise ConfigurationError(error.message, f"{path}.kind") from None
    if model is None:
        raise ConfigurationError(f"{kind} is no backend: it has no Settings", f"{path}.kind")
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise problem(error, model, path) from None


def build(settings: Settings, parts: Parts, previous: Gateway | None = None) -> Gateway:
    """A gateway that is not started yet; lanes whose settings did not change are taken over as they run."""
    running = {} if previous is None else previous.lanes
    lanes: dict[str, Lane] = {}
    for backend in read_backends(settings):
        old = running.get(backend.id)
        lanes[backend.id] = old if old is not None and old.settings == backend else _lane(backend, parts)
    return Gateway(
        settings=settings,
        keyring=_keyring(settings, parts.clock),
        lanes=lanes,
        directory=Directory(lanes, settings.routing.aliases),
        rules=tuple(load(kind, RULES) for kind in RULES),
        relay=Relay(lanes, parts.watchman, parts.metrics),
        decisions=parts.decisions,
        metrics=parts.metrics,
        clock=parts.clock,
    )


def _lane(settings: BackendSettings, parts: Parts) -> Lane:
    backend = load(settings.kind, KINDS)(settings, parts.resources)
    return Lane(backend, settings, parts.clock)


def _keyring(settings: Settings, clock: Clock) -> Keyring:
    clients = [
        (key.key.get_secret_value(), Client(key.name, models=key.models, requests_per_minute=key.requests_per_minute))
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
