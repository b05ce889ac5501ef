"""One backend is asked to go on with an answer, by the best continuation that holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from app.domain.decision import Route
from app.domain.errors import (
    BackendBusyError,
    BackendError,
    BackendRefusedError,
    BackendTimeoutError,
    JobRejectedError,
)
from app.domain.handoff import Continuation
from app.domain.job import Job
from app.domain.sse import DONE, encode
from app.loader import load
from app.relay.answer import Answer
from app.relay.continuation.rung import KINDS, Parting, Rung, is_chat
from app.relay.course import Course
from app.relay.seam import Seam, SeamRefusedError
from app.relay.stay import Stay
from app.telemetry.decisions import Record
from app.telemetry.energy import Meter
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from backends.lane import Lane


class Landing:
    """`meters` by the names that profiles have for them."""

    def __init__(
        self, clock: Callable[[], float], metrics: Metrics, meters: Mapping[str, Meter], ledger: Ledger
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._meters = meters
        self._ledger = ledger
        self._ladder: dict[Continuation, Rung] = {kind: load(kind, KINDS)() for kind in Continuation if kind in KINDS}

    def stay(self, route: Route, lane: Lane, record: Record, now: float) -> Stay:
        """In a place that is taken already."""
        return Stay(route, lane, record, self._meters[lane.profile.meter], self._metrics, self._ledger, now)

    async def land(
        self, answer: Answer, course: Course, parting: Parting, route: Route, lane: Lane
    ) -> tuple[bytes, Continuation] | None:
        """The first block from this backend, in which a place is taken, and how it came; None when it can't go on."""
        now = self._clock()
        if not lane.breaker.admit(now):
            lane.leave()
            return None
        stay = self.stay(route, lane, course.record, now)
        landed: tuple[bytes, Continuation] | None = None
        try:
            for continuation, rung in self._ladder.items():
                if not rung.fits(parting, lane):
                    continue
                block = await self._open(answer, course, parting, rung, route, lane)
                if block is None:  # it does not answer at all
                    break
                if block:
                    landed = block, continuation
                    break
        finally:
            if landed is None:
                lane.breaker.abandoned()
                stay.end(self._clock())
        if landed is not None:
            course.lane, course.stay = lane, stay
            course.record.backend, course.record.model = route.backend, route.model
            stay.own = parting.untouched
            stay.begin(self._clock())
        return landed

    async def _open(
        self, answer: Answer, course: Course, parting: Parting, rung: Rung, route: Route, lane: Lane
    ) -> bytes | None:
        """The first block; empty when it refuses, or does not go on where it should; None when it says nothing.

        One that rejects the job is asked again without what we alone wished for, which no token ids can be told with.
        """
        doubt = answer.doubt
        try:
            return await self._opened(answer, course, parting, rung, route, lane)
        except JobRejectedError:
            if doubt is None or not doubt.asks:
                return b""
        try:
            block = await self._opened(answer, course, parting, rung, route, lane, wish=False)
        except JobRejectedError:
            return b""
        if block and parting.untouched:
            lane.silent.add(route.model)
        return block

    async def _opened(
        self,
        answer: Answer,
        course: Course,
        parting: Parting,
        rung: Rung,
        route: Route,
        lane: Lane,
        *,
        wish: bool = True,
    ) -> bytes | None:
        """As `_open`. Raises JobRejectedError."""
        count, doubt = rung.tokens_written(parting, lane), answer.doubt
        placed = _shortened(course.job.to(route.model), count)
        course.placed = placed = placed if doubt is None else doubt.ask(placed, lane, wish=wish)
        seam = Seam(parting.written, stops(course.job), count, rung.opening(parting, lane))
        answer.watch.go_on(route.backend, lane.settings.timeouts)
        answer.go_on(route, rung.open(parting, lane, placed), seam)
        try:
            while not (block := await answer.step()):
                pass
            block = answer.opened(block, chat=is_chat(course.job))
        except BackendError as error:
            await answer.stop_writing()
            rejected = isinstance(error, JobRejectedError)
            if rejected and doubt is not None and doubt.asks:
                raise
            course.record.attempts.append((route.backend, error.message))
            self._metrics.answers[route.backend, "refused"] += 1
            is_well = rejected or isinstance(error, BackendBusyError) or isinstance(error.__cause__, SeamRefusedError)
            if not is_well:
                lane.breaker.failed(self._clock(), error.message)
            if rejected:
                raise
            return None if _silent(error) else b""
        return block


def nothing_left(answer: Answer, parting: Parting) -> bytes | None:
    """The end of an answer that was as long as it may be when it was stopped: nobody has to go on; else None."""
    begun, written, limit = parting.begun(parting.source), parting.written, parting.job.max_tokens
    if limit is None or begun.written < limit:
        return None
    legacy = written.head.get("object") == "text_completion"
    said: list[dict[str, Any]] = [{"text": ""} if legacy else {"delta": {}}]
    said[0]["finish_reason"] = "length"
    if begun.surplus:
        said.insert(0, {"text": begun.surplus} if legacy else {"delta": {"content": begun.surplus}})
    choices = [[{"index": 0, "logprobs": None, "finish_reason": None, **each}] for each in said]
    events = [{**written.head, "choices": each} for each in choices]
    if begun.tokens is not None:
        count = len(begun.tokens)
        usage = {"prompt_tokens": count, "completion_tokens": 0, "total_tokens": count}
        events.append({**written.head, "choices": [], "usage": usage})
    answer.seam = Seam(written, stops(parting.job), begun.written, None)
    return answer.fit(b"".join(encode(orjson.dumps(event)) for event in events) + DONE)


def _silent(error: BackendError) -> bool:
    """Whether it was not heard of at all, so that another way of asking is no better."""
    if isinstance(error, BackendBusyError):
        return False
    return isinstance(error, BackendTimeoutError) or (isinstance(error, BackendRefusedError) and error.status is None)


def stops(job: Job) -> tuple[str, ...]:
    stop = job.body.get("stop") or ()
    return (stop,) if isinstance(stop, str) else tuple(stop)


def _shortened(job: Job, written: int) -> Job:
    """The job with so many tokens fewer to write; always another object."""
    limits = {name: job.body[name] for name in ("max_completion_tokens", "max_tokens") if job.body.get(name)}
    return job.with_body(**{name: max(1, limit - written) for name, limit in limits.items()})
