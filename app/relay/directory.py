"""Which backends have which models: what a name or an alias stands for, and what /v1/models lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

from app.domain.backend import Candidate, Capability, ServedModel
from app.domain.decision import Route
from app.domain.job import Job
from app.domain.thermal import Zone
from app.routing.rules.serves_model import absent
from backends.lane import Lane

_REMEMBERED = 1024

Offer = tuple[Lane, str, ServedModel | None, int]


class Directory:
    """Remembers what a name resolved to until some backend's models change."""

    def __init__(self, lanes: Mapping[str, Lane], aliases: Mapping[str, tuple[str, ...]]) -> None:
        self._lanes = lanes
        self._aliases = aliases
        self._resolved: dict[tuple[str, Capability], tuple[list[Offer], tuple[Route, ...]]] = {}
        self._changes = -1

    def look(self, job: Job, zones: Mapping[str, Zone]) -> tuple[list[Candidate], tuple[Route, ...]]:
        """The backends that have the model, as they stand now; and those that don't, rejected once and for all."""
        changes = sum([lane.changed for lane in self._lanes.values()])
        if changes != self._changes or len(self._resolved) > _REMEMBERED:
            self._resolved.clear()
            self._changes = changes
        key = job.model, job.capability
        found = self._resolved.get(key)
        if found is None:
            offers = list(self._resolve(*key))
            without = [(lane, name) for lane, name, served, _ in offers if served is None]
            rejected = tuple(absent(lane.candidate(name, None, 0)) for lane, name in without)
            found = self._resolved[key] = [offer for offer in offers if offer[2] is not None], rejected
        offers, rejected = found
        candidates = [
            lane.candidate(name, served, place, zones.get(lane.profile.zone or ""), job.priority)
            for lane, name, served, place in offers
        ]
        return candidates, rejected

    def names(self) -> dict[str, tuple[str, int]]:
        """Every served model and alias, with who owns it and since when (Unix seconds, 0 when unknown)."""
        names = dict.fromkeys(self._aliases, ("isotherm", 0))
        for lane in self._lanes.values():
            for model in lane.models.values():
                names.setdefault(model.name, (lane.profile.id, model.created))
        return names

    def _resolve(self, name: str, capability: Capability) -> Iterator[Offer]:
        patterns = self._aliases.get(name)
        if patterns is None:
            for lane in self._lanes.values():
                yield lane, name, lane.models.get(name), 0
            return
        for lane in self._lanes.values():
            offered: set[str] = set()
            for place, pattern in enumerate(patterns):
                served = lane.choose(_allows(pattern), capability)
                if served is not None and served.name not in offered:
                    offered.add(served.name)
                    yield lane, served.name, served, place
            if not offered:
                yield lane, name, None, 0


def _allows(pattern: str) -> Callable[[str], bool]:
    return lambda name: fnmatchcase(name, pattern)
