"""Where a running answer might go on: the backends that decide() would choose now, seen from where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from app.domain.decision import Decision, Route
from app.domain.handoff import Continuation, Reason
from app.domain.job import Job
from app.domain.thermal import ThermalState, Zone
from app.relay.continuation.kv import shares_state
from app.relay.continuation.rung import is_chat, is_constrained
from app.relay.course import Course
from backends.lane import Lane

_HOT = (ThermalState.CRITICAL, ThermalState.SHUTDOWN)


@dataclass(frozen=True, slots=True)
class Limits:
    """`cooldown_seconds` is how long a zone that was left for heat is not returned to, `max_wait_seconds` how long an
    answer waits when nothing can take it.
    """

    max_moves: int = 4
    cooldown_seconds: float = 120.0
    max_wait_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the gateway a move has to know; a reload makes another one."""

    lanes: Mapping[str, Lane]
    decide: Callable[[Job], Decision]
    zones: Callable[[], Mapping[str, Zone]]
    limits: Limits = Limits()

    def zone(self, lane: Lane) -> Zone | None:
        return self.zones().get(lane.profile.zone or "")


def destinations(
    around: Surroundings,
    course: Course,
    reason: Reason,
    now: float,
    *,
    home: bool = False,
    only_better: bool = False,
    urgent: bool = True,
    anew: bool = False,
) -> Iterator[tuple[Route, Lane]]:
    """Best first: the same model before another one, and one whose answer was doubted last.

    For heat only what is cooler than where it is, or was last. `home` lets it go back there, once that is no longer
    too hot; `only_better` asks for what would get the job first if it came now. What can only be asked to go on is none
    where it is not `urgent`. `anew` says that nothing is written.
    """
    model = course.placed.body["model"]
    doubted = {attempt.model for attempt in course.record.judged if attempt.result == "doubted"}
    routes = around.decide(course.job).routes
    for route in sorted(routes, key=lambda route: (route.model in doubted, route.model != model)):
        lane = around.lanes.get(route.backend)
        if lane is course.lane and only_better:
            return
        if lane is None or route.backend in course.failed:
            continue
        if not anew and not able(course, lane, urgent=urgent):
            continue
        if lane is course.lane:
            if reason is Reason.FAULT or (home and not _hot(around.zone(lane))):
                yield route, lane
        elif not _left(around, course, lane, now) and (reason is not Reason.HEAT or _cooler(around, course.lane, lane)):
            yield route, lane


def able(course: Course, lane: Lane, *, urgent: bool) -> bool:
    """Whether a backend could go on with this answer by any continuation, as far as can be said beforehand."""
    constrained = is_constrained(course.job)
    if not constrained and (urgent or not is_chat(course.job)):
        return True  # at least it can be asked, and any text be gone on with
    name = "keeps_constraints" if constrained else "continuations"
    declared: frozenset[Continuation] = getattr(lane.backend, name, frozenset())
    return bool(declared if shares_state(course.lane, lane) else declared - {Continuation.KV})


def _left(around: Surroundings, course: Course, lane: Lane, now: float) -> bool:
    """Whether its zone was left for heat, not long ago."""
    left = course.left.get(lane.profile.zone or "")
    return left is not None and now - left < around.limits.cooldown_seconds


def _cooler(around: Surroundings, here: Lane, there: Lane) -> bool:
    zone, other = around.zone(here), around.zone(there)
    return zone is None or other is None or other.cooler_than(zone)


def _hot(zone: Zone | None) -> bool:
    return zone is not None and zone.state in _HOT
