"""A running answer goes on at another backend, inside the same response; one mechanism, whatever the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from app.domain.decision import Decision, Route
from app.domain.errors import BackendError, StreamBrokenError
from app.domain.handoff import Reason
from app.domain.thermal import ThermalState
from app.relay.answer import Answer
from app.relay.continuation.rung import Parting
from app.relay.course import Course, Move
from app.relay.destinations import Surroundings, able, destinations
from app.relay.forwarding import Forwarder
from app.relay.landing import Landing
from app.relay.parting import part, read
from app.relay.passage import NOWHERE, Passage, Pause
from app.relay.transcript import Written
from app.relay.watch import Watchman
from app.telemetry.metrics import Metrics
from backends.lane import Lane

_COLLECTING_SECONDS = 2.0  # then it moves with what is held back, be it enough to hide the change or not


class Mover:
    """Outlives a reload: an answer that began before it goes on by what holds now. `courses` are those that run."""

    def __init__(self, watchman: Watchman, metrics: Metrics, landing: Landing, pause: Pause = asyncio.sleep) -> None:
        self.watchman = watchman
        self.courses: dict[Answer, Course] = {}
        self._clock = watchman.clock
        self._passage = Passage(watchman.clock, metrics, landing, pause)
        self._forwarder = Forwarder(watchman.clock, metrics, self._passage)

    @property
    def around(self) -> Surroundings:
        """What holds now."""
        return self._passage.around

    @around.setter
    def around(self, around: Surroundings) -> None:
        self._passage.around = around

    def running(self) -> list[tuple[Route, Decision]]:
        """Where each answer is, and where it might be: nowhere else, if it can't move."""
        return [
            (answer.route, course.decision if self.may_move(course) else NOWHERE)
            for answer, course in self.courses.items()
        ]

    def adopt(self, answer: Answer, course: Course) -> None:
        """It runs from now on."""
        self.courses[answer] = course
        answer.mover = self
        self._forwarder.warm(answer, course)

    def forget(self, answer: Answer) -> Course:
        """It is over."""
        course = self.courses.pop(answer)
        course.tell_of_cache()
        if course.move is not None:
            course.move.release()
        if answer.doubt is not None and answer.doubt.warming is not None:
            answer.doubt.warming.cancel()
        return course

    def may_move(self, course: Course) -> bool:
        """Whether it may be moved once more."""
        return not course.rooted and course.moves < self.around.limits.max_moves

    def destinations(self, course: Course, *, urgent: bool) -> Iterator[tuple[Route, Lane]]:
        """Cooler places for it, best first; if it came to a place that was warm already, those that suit it better."""
        zone, stay = self.around.zone(course.lane), course.stay
        chosen = zone is not None and stay is not None and zone.since <= stay.since
        only_better = chosen and not urgent and zone is not None and zone.state is ThermalState.WARNING
        return destinations(self.around, course, Reason.HEAT, self._clock(), only_better=only_better, urgent=urgent)

    async def recover(self, answer: Answer, error: BackendError) -> bytes:
        """Go on elsewhere after a fault: the next block. Raises what broke it when nothing can go on."""
        course = self.courses.get(answer)
        if course is None or course.stay is None:
            raise error
        since = self._clock()
        await answer.stop_writing()
        if answer.doubt is not None and answer.doubt.drafts and answer.unsent:
            self._passage.leave(course, error)
            return self._forwarder.fall_back(answer, course)
        if answer.watch.out_of_time():
            raise error
        zone = self.around.zone(course.lane)
        reason = Reason.HEAT if zone is not None and zone.state is ThermalState.SHUTDOWN else Reason.FAULT
        move = course.move or Move(reason, error.message, urgent=True)
        written = read(answer)
        self._passage.leave(course, error)
        if written is None or not self._can_move(course, written):
            raise error
        return await self._passage.go_on(answer, course, Parting(course.job, written, course.lane, since), move, error)

    async def attend(self, answer: Answer) -> bytes | None:
        """There is a reason to leave: the next block if it has left, None to read on here."""
        course = self.courses.get(answer)
        if course is None or course.stay is None:
            return None
        if answer.doubt is not None and answer.doubt.risen:
            block = await self._forwarder.forward(answer, course)
            if block is not None:
                return block
        move = course.move
        if move is None or not self._ready(answer, course, move):
            return None
        written = read(answer)
        if written is None or not self._can_move(course, written) or self._must_not_cut(course, written, move):
            if move.stop:
                raise _too_hot(course.lane)
            answer.attend = False  # until the next look at all of them: to read what is written takes time
            return None
        if answer.delivery is not None:
            answer.delivery.changing()
        parting = await part(answer, course, written, move)
        self._passage.leave(course, None)
        block = await self._passage.go_on(answer, course, parting, move, _too_hot(course.lane))
        if answer.delivery is not None:
            answer.delivery.changed()
        return block

    async def reconsider(self, answer: Answer) -> bytes | None:
        """All is written and nothing sent: the next block if another attempt is made, None to leave it at that."""
        course = self.courses.get(answer)
        return None if course is None else await self._forwarder.reconsider(answer, course)

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
        bridged = answer.delivery.bridge(self._passage.stalls.usual(course.lane, move.lane))
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


def _too_hot(lane: Lane) -> BackendError:
    return StreamBrokenError(lane.profile.id, "had become too hot, and nothing else could go on in time")
