"""A running answer goes on at another backend, inside the same response; one mechanism, whatever the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

from app.domain.decision import Decision, Route
from app.domain.errors import BackendError, StreamBrokenError
from app.domain.handoff import Continuation, Handoff, Reason
from app.domain.thermal import ThermalState
from app.relay.answer import Answer
from app.relay.continuation.rung import Parting
from app.relay.continuation.wait import tries
from app.relay.course import Course, Move
from app.relay.destinations import Surroundings, able, destinations
from app.relay.landing import Landing, nothing_left
from app.relay.parting import part, read
from app.relay.seam import Seam
from app.relay.stalls import Stalls
from app.relay.transcript import Written
from app.relay.watch import Watchman
from app.telemetry.metrics import Metrics
from backends.lane import Lane

_NOWHERE = Decision(())
_COLLECTING_SECONDS = 2.0  # then it moves with what is held back, be it enough to hide the change or not

Pause = Callable[[float], Awaitable[None]]


class Mover:
    """Outlives a reload: an answer that began before it goes on by what holds now. `courses` are those that run."""

    def __init__(self, watchman: Watchman, metrics: Metrics, landing: Landing, pause: Pause = asyncio.sleep) -> None:
        self.around = Surroundings({}, lambda _: _NOWHERE, dict)
        self.watchman = watchman
        self.courses: dict[Answer, Course] = {}
        self._clock = watchman.clock
        self._metrics = metrics
        self._landing = landing
        self._pause = pause
        self._stalls = Stalls()

    def running(self) -> list[tuple[Route, Decision]]:
        """Where each answer is, and where it might be: nowhere else, if it can't move."""
        return [
            (answer.route, course.decision if self.may_move(course) else _NOWHERE)
            for answer, course in self.courses.items()
        ]

    def forget(self, answer: Answer) -> Course:
        """It is over."""
        course = self.courses.pop(answer)
        course.tell_of_cache()
        if course.move is not None:
            course.move.release()
        return course

    def may_move(self, course: Course) -> bool:
        """Whether it may be moved once more."""
        return not course.rooted and len(course.record.handoffs) < self.around.limits.max_moves

    def destinations(self, course: Course, *, urgent: bool) -> Iterator[tuple[Route, Lane]]:
        """Cooler places for it, best first; if it came to a place that was warm already, those that suit it better."""
        zone, stay = self.around.zone(course.lane), course.stay
        chosen = zone is not None and stay is not None and zone.since <= stay.since
        only_better = chosen and not urgent and zone is not None and zone.state is ThermalState.WARNING
        return destinations(self.around, course, Reason.HEAT, self._clock(), only_better=only_better, urgent=urgent)

    async def recover(self, answer: Answer, error: BackendError) -> bytes:
        """Go on elsewhere after a fault: the next block. Raises what broke it when nothing can go on."""
        course = self.courses.get(answer)
        if course is None or course.stay is None or answer.watch.out_of_time():
            raise error
        since = self._clock()
        await answer.stop_writing()
        zone = self.around.zone(course.lane)
        reason = Reason.HEAT if zone is not None and zone.state is ThermalState.SHUTDOWN else Reason.FAULT
        move = course.move or Move(reason, error.message, urgent=True)
        written = read(answer)
        self._left(course, error)
        if written is None or not self._can_move(course, written):
            raise error
        return await self._go_on(answer, course, Parting(course.job, written, course.lane, since), move, error)

    async def attend(self, answer: Answer) -> bytes | None:
        """There is a reason to leave: the next block if it has left, None to read on here."""
        course = self.courses.get(answer)
        move = course.move if course is not None else None
        if course is None or move is None or course.stay is None or not self._ready(answer, course, move):
            return None
        written = read(answer)
        if written is None or not self._can_move(course, written) or self._must_not_cut(course, written, move):
            if move.stop:
                raise _too_hot(course.lane)
            return None
        if answer.delivery is not None:
            answer.delivery.changing()
        parting = await part(answer, course, written, move)
        self._left(course, None)
        block = await self._go_on(answer, course, parting, move, _too_hot(course.lane))
        if answer.delivery is not None:
            answer.delivery.changed()
        return block

    def wants_buffer(self, answer: Answer) -> bool:
        """Whether its leaving is worth holding some of it back for."""
        course = self.courses.get(answer)
        move = course.move if course is not None else None
        return course is not None and move is not None and course.job.stream and move.placed and not move.urgent

    def _ready(self, answer: Answer, course: Course, move: Move) -> bool:
        """Whether to leave now: with a place to go to; a move that is not urgent waits until nobody will notice it."""
        if move.stop or move.urgent or not move.placed:
            return move.stop or move.placed
        if move.warming is not None and not move.warming.done():
            return False
        if answer.delivery is None or move.lane is None:
            return True
        now = self._clock()
        move.since = now if move.since is None else move.since
        bridged = answer.delivery.bridge(self._stalls.usual(course.lane, move.lane))
        return bridged or now - move.since > _COLLECTING_SECONDS

    def _can_move(self, course: Course, written: Written) -> bool:
        """An answer that has begun a call can't be gone on with anywhere else."""
        course.rooted = course.rooted or written.calls
        return self.may_move(course)

    def _must_not_cut(self, course: Course, written: Written, move: Move) -> bool:
        """Amid its thoughts, or amid JSON that the target would begin anew, it stays for now."""
        if move.stop or move.lane is None:
            return False
        parting = Parting(course.job, written, course.lane, self._clock())
        return written.in_reasoning or (parting.constrained and not able(course, move.lane, urgent=True))

    def _left(self, course: Course, error: BackendError | None) -> None:
        """Close the books of the backend that was left, for heat or because it broke off."""
        stay, course.stay = course.stay, None
        if stay is None:
            return
        now, profile, breaker = self._clock(), course.lane.profile, course.lane.breaker
        course.tell_of_cache()
        if error is None:
            self._metrics.answers[profile.id, "moved"] += 1
            breaker.abandoned()
            if profile.zone is not None:
                course.left[profile.zone] = now
        else:
            self._metrics.answers[profile.id, "broken"] += 1
            breaker.failed(now, error.message)
            course.failed.add(profile.id)
        stay.end(now)

    async def _go_on(self, answer: Answer, course: Course, parting: Parting, move: Move, error: BackendError) -> bytes:
        """The first block from wherever it goes on. Raises the error when it can't go on anywhere."""
        answer.watch.quiet_since = parting.since
        course.move = None
        try:
            if (end := nothing_left(answer, parting)) is not None:
                return end
            handoff = Handoff(
                move.reason,
                move.why,
                parting.source.profile.id,
                at_tokens=parting.begun(parting.source).written,
                at_chars=len(parting.written.text),
                prepared=not move.urgent and not move.stop,
            )
            course.record.handoffs.append(handoff)
            return await self._handed_off(answer, course, parting, move, handoff, error)
        finally:
            move.release()
            answer.watch.waiting_since = answer.watch.quiet_since = None
            if parting.snapshot is not None:
                parting.snapshot.delete()

    async def _handed_off(
        self,
        answer: Answer,
        course: Course,
        parting: Parting,
        move: Move,
        handoff: Handoff,
        error: BackendError,
    ) -> bytes:
        try:
            landed = await self._anywhere(answer, course, parting, move)
            if landed is None:
                async for _ in tries(answer.watch, self.around.limits.max_wait_seconds, self._pause):
                    course.failed.clear()
                    if (landed := await self._anywhere(answer, course, parting, move)) is not None:
                        break
            if landed is None:
                raise error
        except BaseException as reason:
            handoff.result = "failed" if isinstance(reason, BackendError) else "left"
            raise
        else:
            block, continuation = landed
            handoff.result, handoff.target = "completed", answer.route.backend
            waited = handoff.target == handoff.source and handoff.reason is Reason.HEAT
            handoff.continuation = Continuation.WAIT if waited else continuation
            course.arrived = handoff, cast(Seam, answer.seam)
            if continuation is Continuation.KV and parting.snapshot is not None:
                self._metrics.slot_bytes += parting.snapshot.size_bytes
            return _comment(handoff) + block
        finally:
            handoff.stall_seconds = self._clock() - parting.since
            self._stalls.learn(handoff)
            self._metrics.handed_off(handoff)

    async def _anywhere(
        self, answer: Answer, course: Course, parting: Parting, move: Move
    ) -> tuple[bytes, Continuation] | None:
        """Try the place that is ours, then all others, and where it was."""
        if move.placed:
            route, lane = move.take()
            landed = await self._landing.land(answer, course, parting, route, lane)
            if landed is not None:
                return landed
        for route, lane in destinations(
            self.around, course, move.reason, self._clock(), home=True, anew=parting.untouched
        ):
            if lane.try_enter():
                landed = await self._landing.land(answer, course, parting, route, lane)
                if landed is not None:
                    return landed
            elif move.in_vain:  # nobody stands in line for it yet
                move.head_for(route, lane)
        return None


def _comment(handoff: Handoff) -> bytes:
    """For whoever reads the stream itself; clients pass over it."""
    words = (handoff.reason, handoff.source, "->", handoff.target, handoff.continuation)
    return f": handoff {' '.join(map(str, words))}\n\n".encode("ascii")


def _too_hot(lane: Lane) -> BackendError:
    return StreamBrokenError(lane.profile.id, "had become too hot, and nothing else could go on in time")
