"""The course of one answer: where it is, where it has been, and where it is about to go."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from app.domain.decision import Decision, Route
from app.domain.handoff import Handoff, Reason
from app.domain.job import Job, Priority
from app.relay.seam import Seam
from app.relay.stay import Stay
from app.telemetry.decisions import Record
from backends.lane import Lane


class Move:
    """An answer is to leave for this route: a place is taken there, or somebody stands in line for it.

    `urgent` leaves no time for preparations, `stop` not even to read on until there is a place. `since` is when tokens
    began to be held back for it. `others` are where it goes if it is not taken there.
    """

    __slots__ = ("_entering", "lane", "others", "reason", "route", "since", "stop", "urgent", "warming", "why")

    def __init__(self, reason: Reason, why: str, *, urgent: bool, stop: bool = False) -> None:
        self.reason = reason
        self.why = why
        self.urgent = urgent
        self.stop = stop
        self.route: Route | None = None
        self.lane: Lane | None = None
        self.others: Sequence[tuple[Route, Lane]] = ()
        self.since: float | None = None
        self.warming: asyncio.Task[None] | None = None
        self._entering: asyncio.Task[None] | None = None

    def head_for(self, route: Route, lane: Lane) -> None:
        """Take a place there, at once or as soon as there is one."""
        self.release()
        self.route, self.lane = route, lane
        if not lane.try_enter():
            self._entering = asyncio.create_task(lane.enter(Priority.CRITICAL))
            self._entering.add_done_callback(_heard)

    @property
    def placed(self) -> bool:
        """Whether the place is ours."""
        if self.lane is None:
            return False
        entering = self._entering
        return entering is None or (entering.done() and not entering.cancelled() and entering.exception() is None)

    @property
    def in_vain(self) -> bool:
        """Whether there is no place to be had."""
        entering = self._entering
        return self.lane is None or (entering is not None and entering.done() and not self.placed)

    def take(self) -> tuple[Route, Lane]:
        """The place is the caller's from now on."""
        if self.route is None or self.lane is None or not self.placed:
            raise RuntimeError("there is no place to take")
        route, lane = self.route, self.lane
        self.route = self.lane = self._entering = None
        return route, lane

    def places(self) -> Iterator[tuple[Route, Lane]]:
        """The place that is ours, and then any at the others; each is the caller's from now on."""
        if self.placed:
            yield self.take()
        for route, lane in self.others:
            if lane.try_enter():
                yield route, lane

    def release(self) -> None:
        """Nobody goes there: let go of the place, or leave the line."""
        lane, entering, placed = self.lane, self._entering, self.placed
        self.route = self.lane = self._entering = None
        if self.warming is not None:
            self.warming.cancel()
            self.warming = None
        if placed and lane is not None:
            lane.leave()
        elif entering is not None:
            entering.cancel()


def _heard(entering: asyncio.Task[None]) -> None:
    """That there was no room shows in `in_vain`."""
    if not entering.cancelled():
        entering.exception()


@dataclass(eq=False, slots=True)
class Course:
    """`placed` is the job as the backend got it, the very object. `stay` is None between two backends.

    `left` are the zones that were left for heat, and when; `failed` the backends that broke off. A `rooted` answer
    can't go on anywhere else, whatever happens.
    """

    job: Job
    decision: Decision
    record: Record
    lane: Lane
    stay: Stay | None
    placed: Job
    move: Move | None = None
    left: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    rooted: bool = False
    arrived: tuple[Handoff, Seam] | None = None

    @property
    def moves(self) -> int:
        """How often it has moved; what was doubted before anybody saw it has not."""
        return sum(move.reason is not Reason.DOUBT or move.at_chars > 0 for move in self.record.handoffs)

    def tell_of_cache(self) -> None:
        """What the last backend told of its cache goes into the record."""
        if self.arrived is not None:
            handoff, seam = self.arrived
            handoff.cache_reused_tokens = seam.cached_tokens

    def tokens_left(self, now: float) -> float:
        """How many tokens it may still get, by the limit and the usual length, at the usual speed; for comparison."""
        learned = self.lane.learned.get(self.placed.model)
        limit = self.job.max_tokens or (learned.tokens if learned is not None else None) or math.inf
        speed = learned.tokens_per_second if learned is not None else None
        if self.stay is None or self.stay.began is None or speed is None:
            return limit
        return max(0.0, limit - (now - self.stay.began) * speed)

    def seconds_left(self, now: float) -> float | None:
        """How long it will take from here, None when nobody knows."""
        learned = self.lane.learned.get(self.placed.model)
        speed = learned.tokens_per_second if learned is not None else None
        tokens = self.tokens_left(now)
        return None if not speed or math.isinf(tokens) else tokens / speed
