"""One backend as the gateway runs it: its breaker, its places, and what it serves now."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.domain.backend import Candidate, Capability, Health, Profile, ServedModel
from app.domain.errors import BackendBusyError
from backends.base import Backend, BackendSettings
from backends.breaker import Breaker

_NEWEST_SHARE = 0.2  # of an exponentially weighted mean: about the last ten answers count


class Lane:
    """`changed` counts up whenever the served models do, so that others may remember what they made of them."""

    def __init__(self, backend: Backend, settings: BackendSettings, clock: Callable[[], float]) -> None:
        self.backend = backend
        self.settings = settings
        self.profile: Profile = backend.profile
        self.breaker = Breaker(failures=settings.health.failures, cooldown_seconds=settings.health.cooldown_seconds)
        self.models = {name: ServedModel(name) for name in self.profile.patterns.exact()}
        self.changed = 0
        self.busy = 0
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._first_token_seconds: dict[str, float] = {}
        self._emptied = asyncio.Event()

    def candidate(self, model: str, served: ServedModel | None, preference: int) -> Candidate:
        """This backend as it stands, for a rule to look at; `served` is None when it does not have the model."""
        now = self._clock()
        health = self.breaker.look(now)
        return Candidate(
            profile=self.profile,
            model=served or ServedModel(model),
            serves=served is not None,
            health=health,
            busy=self.busy,
            waiting=len(self._waiting),
            preference=preference,
            first_token_seconds=self._first_token_seconds.get(model),
            retry_seconds=self.breaker.retry_seconds(now) if health is Health.OPEN else 0.0,
            ailment=self.breaker.reason,
        )

    def choose(self, pattern_allows: Callable[[str], bool], capability: Capability) -> ServedModel | None:
        """Of the models that a pattern allows, the one to offer: able ones first, then preferred, then as listed."""
        fitting = [model for model in self.models.values() if pattern_allows(model.name)]
        return min(fitting, key=lambda model: self._rank(model, capability), default=None)

    async def enter(self) -> None:
        """Take a place, waiting in order for one. Raises BackendBusyError when too many wait already."""
        if self.busy < self.profile.concurrency and not self._waiting:
            self.busy += 1
            return
        if len(self._waiting) >= self.profile.queue:
            raise BackendBusyError(self.profile.id, "has no room: too many wait already")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was ours already: pass it on
                self.leave()
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def leave(self) -> None:
        """Give the place back: the longest waiting gets it."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # else its owner is leaving the line
                place.set_result(None)
                return
        self.busy -= 1
        if not self.busy:
            self._emptied.set()

    async def emptied(self) -> None:
        """Until nobody works here or waits to."""
        while self.busy:
            self._emptied.clear()
            await self._emptied.wait()

    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def health(self) -> Health:
        """The breaker's state now."""
        return self.breaker.look(self._clock())

    def began(self, model: str, seconds: float) -> None:
        """Learn the time to the first token."""
        known = self._first_token_seconds.get(model, seconds)
        self._first_token_seconds[model] = known + _NEWEST_SHARE * (seconds - known)

    def found(self, models: tuple[ServedModel, ...]) -> None:
        """Take what a probe found; a server that lists nothing is believed to have what its settings name."""
        patterns, known = self.profile.patterns, self.models
        listed = {
            model.name: _as_old_as(known.get(model.name), model) for model in models if patterns.allow(model.name)
        }
        if not models:
            listed = {name: ServedModel(name) for name in patterns.exact()}
        if listed != self.models:
            self.models = listed
            self.changed += 1

    def describe(self) -> dict[str, Any]:
        """For an operator to read."""
        profile, now = self.profile, self._clock()
        health = self.breaker.look(now)
        return {
            "id": profile.id,
            "kind": profile.kind,
            "hardware": profile.hardware,
            "tier": profile.tier,
            "watts": profile.watts,
            "zone": profile.zone,
            "health": health,
            "ailment": self.breaker.reason or None,
            "retry_seconds": round(self.breaker.retry_seconds(now), 1) or None,
            "capabilities": sorted(profile.honours),
            "models": sorted(self.models),
            "busy": self.busy,
            "waiting": len(self._waiting),
            "concurrency": profile.concurrency,
            "queue": profile.queue,
            "first_token_seconds": {
                model: round(seconds, 4) for model, seconds in sorted(self._first_token_seconds.items())
            },
        }

    def _rank(self, model: ServedModel, capability: Capability) -> tuple[bool, bool]:
        able = capability in (model.capabilities or self.profile.honours)
        return not able, not self.profile.patterns.prefer(model.name)


def _as_old_as(known: ServedModel | None, found: ServedModel) -> ServedModel:
    """Keep the time when it was first seen: llama.cpp says that its model was created just now, each time."""
    return found if known is None or not known.created else replace(found, created=known.created)
