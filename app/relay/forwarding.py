"""Doubt sends an answer on: while it is being written, or once it is complete and before anybody has seen it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from app.domain.confidence import Attempt
from app.domain.decision import Route
from app.domain.errors import BackendError, BackendTimeoutError, DoubtfulError, StreamBrokenError
from app.domain.handoff import Begun, Reason
from app.domain.job import Job
from app.relay.answer import Answer
from app.relay.continuation.rung import Parting, is_constrained
from app.relay.course import Course, Move
from app.relay.doubt import Doubt, Draft
from app.relay.escalation import expected, larger
from app.relay.opinions import Opinions
from app.relay.parting import read
from app.relay.passage import Passage
from app.relay.stay import Stay
from app.relay.transcript import Transcript, Written
from app.telemetry.metrics import Metrics
from backends.base import Warms
from backends.lane import Lane


class Forwarder:
    """Asks a larger model, by the policy of the answer's doubt."""

    def __init__(self, clock: Callable[[], float], metrics: Metrics, passage: Passage) -> None:
        self._clock = clock
        self._metrics = metrics
        self._passage = passage
        self._opinions = Opinions(clock, passage)

    def warm(self, answer: Answer, course: Course) -> None:
        """Let the model that would be asked next read the prompt meanwhile, if the policy wants that."""
        doubt = answer.doubt
        if doubt is None or not doubt.policy.warm or not doubt.may_retry:
            return
        for route, lane in larger(self._passage.around, course, doubt):
            if isinstance(lane.backend, Warms) and lane.try_enter():
                stay = self._passage.landing.stay(route, lane, course.record, self._clock())
                doubt.warming = asyncio.create_task(_warm(course.job.to(route.model), lane.backend))
                doubt.warming.add_done_callback(partial(self._warmed, stay))
                return

    def _warmed(self, stay: Stay, _: asyncio.Task[None]) -> None:
        """Called even if it was cancelled before it began."""
        stay.end(self._clock())

    async def forward(self, answer: Answer, course: Course) -> bytes | None:
        """Doubt has risen amid an answer: the first block of a larger model that has a place for it now, else None.

        What its client has not been sent is written anew. Raises BackendError when nothing can go on after all.
        """
        doubt = _doubt(answer)
        doubt.risen = False
        if not self._may_cut(answer, course):
            return None
        if doubt.warming is not None and not doubt.warming.done():
            await asyncio.wait((doubt.warming,))  # what it reads has to be read anyway
            if not self._may_cut(answer, course):  # some of it was held for too long, and sent
                return None
        targets = list(larger(self._passage.around, course, doubt))
        place = next((place for place, (_, lane) in enumerate(targets) if lane.try_enter()), None)
        if place is None:
            return None
        source, since = course.lane, self._clock()
        attempt = self._heard(doubt.give_up())
        answer.take_back()
        await answer.stop_writing()
        self._passage.leave(course, None, "doubted")
        move = Move(Reason.DOUBT, doubt.why(attempt), urgent=True)
        (move.route, move.lane), move.others = targets[place], targets[place + 1 :]
        parting = Parting(course.job, read(answer) or _nothing(), source, since)
        error = StreamBrokenError(source.profile.id, "was doubted, and nothing could go on in its place")
        block = await self._passage.go_on(answer, course, parting, move, error)
        for route, _ in targets[place:]:
            if route.backend == answer.route.backend:
                break
            self._refused(doubt, source, route)
        if answer.route.backend != source.profile.id:
            self._took(doubt, source, answer.route)
        return block

    async def reconsider(self, answer: Answer, course: Course) -> bytes | None:
        """A complete answer: the first block of another attempt, the best one that there was, or None if it is good.

        Raises DoubtfulError when the policy wants none rather than the best.
        """
        doubt = _doubt(answer)
        if doubt.settled:
            return None
        samples, verdict = await self._opinions_of(answer, course, doubt)
        attempt = self._heard(doubt.conclude(samples, verdict))
        if attempt.result != "doubted":
            return None
        if not answer.unsent:
            attempt.result = "best"
            return None
        doubt.drafts.append(Draft(bytes(answer.transcript.events), answer.usage, answer.route, attempt))
        if doubt.may_retry and (block := await self._another(answer, course, doubt)) is not None:
            return block
        return self.fall_back(answer, course)

    async def _opinions_of(self, answer: Answer, course: Course, doubt: Doubt) -> tuple[tuple[str, ...], float | None]:
        """Nobody waits for them who reads already."""
        if not doubt.withholds or not (doubt.policy.samples or doubt.policy.verifier):
            return (), None
        self._passage.conclude(course, answer.usage)  # its place may be needed for them
        return await self._opinions.gather(answer, course, doubt)

    def fall_back(self, answer: Answer, course: Course) -> bytes:
        """The best of the complete drafts. Raises DoubtfulError as `reconsider` does."""
        doubt = _doubt(answer)
        draft, least = doubt.best_draft(), doubt.policy.min_confidence
        if not doubt.policy.return_best_attempt and least is not None and draft.attempt.confidence is not None:
            error = DoubtfulError(draft.attempt.confidence.probability, least)
            course.record.end("failed", self._clock(), error.message)
            answer.drop()
            raise error
        course.record.backend, course.record.model = draft.route.backend, draft.route.model
        return answer.restore(draft)

    async def _another(self, answer: Answer, course: Course, doubt: Doubt) -> bytes | None:
        """The first block of the next larger model that takes the job; None when none does."""
        source, since, usage = course.lane, self._clock(), answer.usage
        targets = list(larger(self._passage.around, course, doubt))
        if not targets or answer.watch.out_of_time():
            return None
        self._passage.conclude(course, usage)
        answer.drop()
        parting = Parting(course.job, _nothing(), source, since)
        for route, lane in sorted(targets, key=lambda each: each[1].busy >= each[1].profile.concurrency):
            if not await self._entered(answer, course, lane):
                continue
            landed = await self._passage.landing.land(answer, course, parting, route, lane)
            if landed is not None:
                self._took(doubt, source, route)
                return landed[0]
            self._refused(doubt, source, route)
        return None

    async def _entered(self, answer: Answer, course: Course, lane: Lane) -> bool:
        """Whether a place was to be had, perhaps after some time in line."""
        if lane.try_enter():
            return True
        try:
            async with asyncio.timeout(self._passage.around.limits.max_wait_seconds):
                await answer.watch.in_line(lane.enter(course.job.priority))
        except (BackendError, TimeoutError) as error:
            course.record.attempts.append((lane.profile.id, str(error) or "had no place in time"))
            if isinstance(error, BackendTimeoutError):
                raise
            return False
        return True

    def _may_cut(self, answer: Answer, course: Course) -> bool:
        """Whether another model can go on: with all that is unsent; else not amid a call, thoughts or a given form."""
        if answer.finished or answer.watch.out_of_time():
            return False
        if answer.unsent:
            return True
        written = read(answer)
        moves = course.moves < self._passage.around.limits.max_moves
        may_move = moves and not course.rooted and not is_constrained(course.job)
        return may_move and written is not None and not written.calls and not written.in_reasoning

    def _heard(self, attempt: Attempt) -> Attempt:
        if attempt.confidence is not None:
            self._metrics.confidence[attempt.backend].observe(attempt.confidence.probability)
        return attempt

    def _took(self, doubt: Doubt, source: Lane, route: Route) -> None:
        """It is being written by another one now."""
        doubt.forwarded += 1
        self._metrics.forwardings[source.profile.id, route.backend, "taken"] += 1
        joules, cost = expected(route, doubt)
        doubt.joules += joules or 0.0
        doubt.cost += cost or 0.0

    def _refused(self, doubt: Doubt, source: Lane, route: Route) -> None:
        """It is not asked again for this answer."""
        self._metrics.forwardings[source.profile.id, route.backend, "refused"] += 1
        doubt.refused.add(route.backend)


async def _warm(job: Job, backend: Warms) -> None:
    with contextlib.suppress(BackendError):  # it is asked cold, then
        await backend.warm(job, Begun(""))


def _doubt(answer: Answer) -> Doubt:
    if answer.doubt is None:
        raise RuntimeError("nobody judges this answer")
    return answer.doubt


def _nothing() -> Written:
    return Transcript().written()
