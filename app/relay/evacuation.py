"""Which running answers should leave a hot place, and in which order: a look at all of them, a few times a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import partial

from app.domain.errors import BackendBusyError
from app.domain.handoff import Reason
from app.domain.thermal import ThermalState, Zone
from app.relay.answer import Answer
from app.relay.course import Course, Move
from app.relay.destinations import able
from app.relay.handoff import Mover
from app.relay.parting import warm
from backends.lane import Lane

_BLOCKED_SECONDS = 1.0  # a backend that says nothing for so long is not heard out at the shutdown point
_COOLING_SECONDS = 10.0


class Urgency(IntEnum):
    """How soon an answer should leave."""

    NONE = 0
    SOON = 1
    NOW = 2
    STOP = 3


_BY_STATE = {
    ThermalState.WARNING: Urgency.SOON,
    ThermalState.CRITICAL: Urgency.NOW,
    ThermalState.SHUTDOWN: Urgency.STOP,
}


def urgency(zone: Zone | None, seconds_left: Callable[[], float | None]) -> Urgency:
    """By the zone's state; also where the forecast says that it will be critical before the answer's likely end."""
    if zone is None:
        return Urgency.NONE
    if zone.state is ThermalState.NOMINAL and (critical_in := zone.seconds_until_critical()) is not None:
        left = seconds_left()
        return Urgency.SOON if left is not None and critical_in < left else Urgency.NONE
    return _BY_STATE.get(zone.state, Urgency.NONE)


def evacuate(mover: Mover, zones: Mapping[str, Zone], now: float, *, pacing: bool) -> None:
    """Give a place elsewhere to every answer that should leave, those first that have most left to write.

    Each place is taken before the next answer is looked at, so that whoever takes many in is charged for it. `pacing`
    says that warm backends are slowed: then one that can be slowed goes on where nothing is cooler. Whoever waits for
    the first words of a backend at its shutdown point is sent to the next one.
    """
    leaving: list[tuple[float, Answer, Course, Urgency]] = []
    for answer, course in mover.courses.items():
        if course.stay is None:
            continue
        wanted = urgency(zones.get(course.lane.profile.zone or ""), partial(course.seconds_left, now))
        if wanted is Urgency.NONE:
            _stay(answer, course)
        else:
            leaving.append((course.tokens_left(now), answer, course, wanted))
    leaving.sort(key=lambda each: -each[0])
    for _, answer, course, wanted in leaving:
        _leave(mover, answer, course, wanted, now, pacing=pacing)
    for lane in mover.around.lanes.values():
        zone = zones.get(lane.profile.zone or "")
        if zone is not None and zone.state is ThermalState.SHUTDOWN:
            mover.watchman.turn_away(_too_hot(lane), now, _BLOCKED_SECONDS)


def _stay(answer: Answer, course: Course) -> None:
    """It has cooled down; what is on its way already goes on."""
    if course.move is not None and answer.delivery is None:
        course.move.release()
        course.move = None


def _leave(mover: Mover, answer: Answer, course: Course, wanted: Urgency, now: float, *, pacing: bool) -> None:
    move = course.move
    if move is not None and move.lane is not None and move.lane.hot:
        move.release()
    if move is None or move.in_vain:
        move = course.move = _planned(mover, course, wanted, pacing=pacing)
        if move is None:
            return
        if wanted is Urgency.SOON:
            warm(answer, course, move)
    if wanted is not Urgency.SOON:
        move.urgent = True
    if wanted is Urgency.STOP:
        move.stop = True
        _interrupt(answer, course, now)
    answer.attend = True


def _planned(mover: Mover, course: Course, wanted: Urgency, *, pacing: bool) -> Move | None:
    """A move with a place, or in line for one; None where it stays for now."""
    if not mover.may_move(course):
        return Move(Reason.HEAT, _why(course), urgent=True, stop=True) if wanted is Urgency.STOP else None
    move = Move(Reason.HEAT, _why(course), urgent=wanted is not Urgency.SOON)
    first = None
    for route, lane in mover.destinations(course, urgent=wanted is not Urgency.SOON):
        if lane.busy < lane.profile.concurrency:
            move.head_for(route, lane)
            return move
        first = first or (route, lane)
    if first is not None and wanted is not Urgency.SOON:
        move.head_for(*first)
        return move
    goes_on_slowly = wanted is Urgency.NOW and pacing and course.lane.paceable
    if first is not None or wanted is Urgency.SOON or goes_on_slowly:
        return None
    if wanted is Urgency.NOW and not able(course, course.lane, urgent=True):
        return None  # what stops in the middle of this could not even go on where it was
    move.stop = True
    return move


def _interrupt(answer: Answer, course: Course, now: float) -> None:
    waiting_since = answer.watch.waiting_since
    if waiting_since is not None and now - waiting_since > _BLOCKED_SECONDS:
        answer.watch.fail(_too_hot(course.lane))


def _too_hot(lane: Lane) -> BackendBusyError:
    return BackendBusyError(lane.profile.id, "has become too hot", _COOLING_SECONDS, status=503)


def _why(course: Course) -> str:
    zone = course.lane.profile.zone
    return f"zone {zone} is too hot" if zone is not None else "it is too hot"
