"""One backend as the gateway runs it: its breaker, its places, and what it serves now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import asdict, replace
from queue import Full
from typing import Any

from app.domain.backend import Candidate, Capability, Health, Learned, Profile, ServedModel
from app.domain.errors import BackendBusyError
from app.domain.job import Job, Priority
from app.domain.thermal import Zone
from backends.base import Backend, BackendSettings, Paces
from backends.breaker import Breaker
from backends.learned import Lessons
from backends.queue import PriorityQueue
from backends.stopwatch import Stopwatch

_STREAMS = {Capability.CHAT: "chat", Capability.COMPLETE: "complete"}
_SHORTEST_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 60.0


class Lane:
    """`changed` counts up whenever the served models do, so that others may remember what they made of them.

    `duty` is the share of the time that the backend was told to work; `hot` says that its zone takes no new work.
    `silent` are models that refuse to tell log-probabilities.
    """

    def __init__(self, backend: Backend, settings: BackendSettings, clock: Callable[[], float]) -> None:
        self.backend = backend
        self.settings = settings
        self.profile: Profile = backend.profile
        self.breaker = Breaker(failures=settings.health.failures, cooldown_seconds=settings.health.cooldown_seconds)
        self.models = {name: ServedModel(name) for name in self.profile.patterns.exact()}
        self.changed = 0
        self.busy = 0
        self.duty = 1.0
        self.hot = False
        self.silent: set[str] = set()
        self._clock = clock
        self._line: PriorityQueue[asyncio.Future[bool]] = PriorityQueue(self.profile.queue, settings.ageing_seconds)
        self._lessons = Lessons()
        self._stopwatch = Stopwatch()
        self._emptied = asyncio.Event()

    def candidate(
        self,
        model: str,
        served: ServedModel | None,
        preference: int,
        zone: Zone | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> Candidate:
        """This backend as it stands, for a rule to look at; `served` is None when it does not have the model."""
        now = self._clock()
        health = self.breaker.look(now)
        ahead, wait_seconds = self.place(priority)
        return Candidate(
            profile=self.profile,
            model=served or ServedModel(model),
            serves=served is not None,
            health=health,
            busy=self.busy,
            ahead=ahead,
            wait_seconds=wait_seconds,
            preference=preference,
            learned=self._lessons.of(model),
            zone=zone,
            retry_seconds=self.breaker.retry_seconds(now) if health is Health.OPEN else 0.0,
            ailment=self.breaker.reason,
        )

    def stream(self, job: Job) -> AsyncGenerator[bytes, None]:
        """The backend's answer to a job that is to be streamed, by what the job needs it to be able to do."""
        stream: Callable[[Job], AsyncGenerator[bytes, None]] = getattr(self.backend, _STREAMS[job.capability])
        return stream(job)

    def choose(self, pattern_allows: Callable[[str], bool], capability: Capability) -> ServedModel | None:
        """Of the models that a pattern allows, the one to offer: able ones first, then preferred, then as listed."""
        fitting = [model for model in self.models.values() if pattern_allows(model.name)]
        return min(fitting, key=lambda model: self._rank(model, capability), default=None)

    def try_enter(self) -> bool:
        """Take a place, if one is free: then nobody waits for it."""
        if self.busy >= self.profile.concurrency:
            return False
        if not self.busy:
            self._stopwatch.start(self._clock())
        self.busy += 1
        return True

    async def enter(self, priority: Priority = Priority.NORMAL) -> None:
        """Take a place, waiting in line for one. Raises BackendBusyError when too many wait already, or when somebody
        more urgent comes later and the line is full.
        """
        if not self.try_enter():
            await self._wait(priority)

    def leave(self) -> None:
        """Give the place back: whoever's turn it is gets it."""
        while (place := self._line.pop()) is not None:
            if not place.done():  # else its owner is leaving the line
                place.set_result(True)
                return
        self.busy -= 1
        if not self.busy:
            self._stopwatch.stop(self._clock())
            self._emptied.set()

    def place(self, priority: Priority = Priority.NORMAL) -> tuple[int, float | None]:
        """How many are ahead of one who comes now, and the seconds until a place is free for it; None is unknown."""
        if self.busy < self.profile.concurrency:
            return 0, 0.0
        ahead, seconds = self._line.ahead(priority, self._clock()), self._lessons.place_seconds
        return ahead, None if seconds is None else (ahead + 1) * seconds / self.profile.concurrency

    async def emptied(self) -> None:
        """Until nobody works here or waits to."""
        while self.busy:
            self._emptied.clear()
            await self._emptied.wait()

    @property
    def learned(self) -> Mapping[str, Learned]:
        """By model."""
        return dict(self._lessons.items())

    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._line)

    def worked(self, now: float) -> float:
        """Seconds in which some place was taken, times the duty then; may be asked by another thread."""
        return self._stopwatch.read(now)

    @property
    def paceable(self) -> bool:
        """Whether it can be told to work only part of the time."""
        return self._paces() is not None

    def pace(self, duty: float) -> None:
        """Let it work only this share of the time (0..1]; nothing happens to a backend that can't be paced."""
        if duty != self.duty and (backend := self._paces()) is not None:
            backend.pace(duty)
            self.duty = duty
            self._stopwatch.pace(duty, self._clock())

    def health(self) -> Health:
        """The breaker's state now."""
        return self.breaker.look(self._clock())

    def began(self, model: str, seconds: float) -> None:
        """Learn the time from taking a place to the first token."""
        self._lessons.began(model, seconds)

    def ended(self, model: str, seconds_writing: float, tokens: int | None, seconds_in_place: float) -> None:
        """Learn how long an answer took from its first token to its last, and how long its place was taken."""
        self._lessons.ended(model, seconds_writing, tokens, seconds_in_place)

    def cost(self, model: str, joules: float, tokens: int | None, seconds: float) -> None:
        """Learn the energy of an answer."""
        self._lessons.cost(model, joules, tokens, seconds)

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
            "waiting": len(self._line),
            "line": {priority.word: count for priority, count in self._line.counts().items()},
            "concurrency": profile.concurrency,
            "queue": profile.queue,
            "duty": round(self.duty, 4),
            "learned": {model: _rounded(learned) for model, learned in sorted(self._lessons.items())},
        }

    async def _wait(self, priority: Priority) -> None:
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            displaced = self._line.push(place, priority, self._clock())
        except Full:
            raise self._busy(priority, "too many wait already") from None
        if displaced is not None and not displaced.done():
            displaced.set_result(False)
        try:
            admitted = await place
        except BaseException:
            self._line.remove(place)
            if place.done() and not place.cancelled() and place.result():  # it was ours already: pass it on
                self.leave()
            raise
        if not admitted:
            raise self._busy(priority, "more urgent jobs took its place in the line")

    def _paces(self) -> Paces | None:
        backend = self.backend
        return backend if isinstance(backend, Paces) and backend.paceable else None

    def _busy(self, priority: Priority, why: str) -> BackendBusyError:
        seconds = self.place(priority)[1] or _SHORTEST_RETRY_SECONDS
        retry = min(max(seconds, _SHORTEST_RETRY_SECONDS), _LONGEST_RETRY_SECONDS)
        return BackendBusyError(self.profile.id, f"has no room: {why}", retry)

    def _rank(self, model: ServedModel, capability: Capability) -> tuple[bool, bool]:
        able = capability in (model.capabilities or self.profile.honours)
        return not able, not self.profile.patterns.prefer(model.name)


def _rounded(learned: Learned) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 4) for name, value in asdict(learned).items()}


def _as_old_as(known: ServedModel | None, found: ServedModel) -> ServedModel:
    """Keep the time when it was first seen: llama.cpp says that its model was created just now, each time."""
    return found if known is None or not known.created else replace(found, created=known.created)
