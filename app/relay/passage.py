"""The way of an answer from the backend that it leaves to wherever it goes on; one mechanism, whatever the reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from app.domain.decision import Decision
from app.domain.errors import BackendError
from app.domain.handoff import Continuation, Handoff, Reason
from app.relay.answer import Answer
from app.relay.continuation.rung import Parting
from app.relay.continuation.wait import tries
from app.relay.course import Course, Move
from app.relay.destinations import Surroundings, destinations
from app.relay.landing import Landing, nothing_left
from app.relay.seam import Seam
from app.relay.stalls import Stalls
from app.telemetry.metrics import Metrics

NOWHERE = Decision(())

Pause = Callable[[float], Awaitable[None]]


class Passage:
    """`around` is what holds now: a reload puts another one in its place."""

    def __init__(self, clock: Callable[[], float], metrics: Metrics, landing: Landing, pause: Pause) -> None:
        self.around = Surroundings({}, lambda _: NOWHERE, dict)
        self.landing = landing
        self.stalls = Stalls()
        self._clock = clock
        self._metrics = metrics
        self._pause = pause

    def leave(self, course: Course, error: BackendError | None, outcome: str = "moved") -> None:
        """Close the books of the backend that was left, for heat, for doubt, or because it broke off."""
        stay, course.stay = course.stay, None
        if stay is None:
            return
        now, profile, breaker = self._clock(), course.lane.profile, course.lane.breaker
        course.tell_of_cache()
        if error is None:
            self._metrics.answers[profile.id, outcome] += 1
            breaker.abandoned()
            if profile.zone is not None and outcome == "moved":
                course.left[profile.zone] = now
        else:
            self._metrics.answers[profile.id, "broken"] += 1
            breaker.failed(now, error.message)
            course.failed.add(profile.id)
        stay.end(now)

    def conclude(self, course: Course, usage: Mapping[str, Any] | None) -> None:
        """Close the books of a backend that wrote its answer to the end, whatever is thought of that."""
        stay, course.stay = course.stay, None
        if stay is None:
            return
        now, name, told = self._clock(), course.lane.profile.id, usage or {}
        course.lane.breaker.succeeded()
        stay.complete(now, told.get("completion_tokens"))
        self._metrics.answers[name, "completed"] += 1
        self._metrics.prompt_tokens[name] += told.get("prompt_tokens") or 0
        self._metrics.completion_tokens[name] += told.get("completion_tokens") or 0
        stay.end(now)

    async def go_on(self, answer: Answer, course: Course, parting: Parting, move: Move, error: BackendError) -> bytes:
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
            self.stalls.learn(handoff)
            self._metrics.handed_off(handoff)

    async def _anywhere(
        self, answer: Answer, course: Course, parting: Parting, move: Move
    ) -> tuple[bytes, Continuation] | None:
        """Try the place that is ours, then all others, and where it was."""
        for route, lane in move.places():
            landed = await self.landing.land(answer, course, parting, route, lane)
            if landed is not None:
                return landed
        for route, lane in destinations(
            self.around, course, move.reason, self._clock(), home=True, anew=parting.untouched
        ):
            if lane.try_enter():
                landed = await self.landing.land(answer, course, parting, route, lane)
                if landed is not None:
                    return landed
            elif move.in_vain:  # nobody stands in line for it yet
                move.head_for(route, lane)
        return None


def _comment(handoff: Handoff) -> bytes:
    """For whoever reads the stream itself; clients pass over it."""
    words = (handoff.reason, handoff.source, "->", handoff.target, handoff.continuation)
    return f": handoff {' '.join(map(str, words))}\n\n".encode("ascii")
