"""Finds the first route that takes the job, and accounts for what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

from app.domain.backend import Capability
from app.domain.decision import Decision, Route
from app.domain.errors import BackendBusyError, BackendError, BackendRefusedError, JobRejectedError
from app.domain.job import Job
from app.relay.answer import Answer
from app.relay.course import Course
from app.relay.doubt import Doubt
from app.relay.fan_out import fan_out
from app.relay.handoff import Mover
from app.relay.last_resort import last_resort
from app.relay.policies import Policies
from app.relay.stay import Stay
from app.relay.watch import Watch, Watchman
from app.telemetry.decisions import Record
from app.telemetry.energy import Meter
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from backends.base import Embeds
from backends.lane import Lane

_COOLING_SECONDS = 10.0

T = TypeVar("T")


class Relay:
    """One for each configuration; `lanes` by backend id, `meters` by the names that profiles have for them."""

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        watchman: Watchman,
        metrics: Metrics,
        meters: Mapping[str, Meter],
        ledger: Ledger,
        mover: Mover,
        policies: Policies,
    ) -> None:
        self._lanes = lanes
        self._watchman = watchman
        self._metrics = metrics
        self._meters = meters
        self._ledger = ledger
        self.mover = mover
        self._policies = policies

    def watch(self) -> Watch:
        """Clocks for the current task; whoever got them must give them to `forget`."""
        return self._watchman.watch()

    def forget(self, watch: Watch) -> None:
        self._watchman.forget(watch)

    async def open(self, job: Job, decision: Decision, record: Record, watch: Watch) -> Answer:
        """An answer whose first block has come. Whoever got it must give it to `close`.

        Raises what the last route said: JobRejectedError, RateLimitedError, BackendTimeoutError, BackendRefusedError.
        """

        single, policy = job.choices == 1, self._policies.of(job)

        async def begin(route: Route, stay: Stay) -> Answer:
            doubt = self._policies.doubt(job, stay.lane.profile, policy, record.judged)
            try:
                return await begun(route, stay, doubt)
            except JobRejectedError:
                if doubt is None or not doubt.asks:
                    raise
            answer = await begun(route, stay, doubt, wish=False)
            stay.lane.silent.add(route.model)
            return answer

        async def begun(route: Route, stay: Stay, doubt: Doubt | None, *, wish: bool = True) -> Answer:
            placed = job.to(route.model)
            if doubt is not None:
                placed = doubt.ask(placed, stay.lane, wish=wish)
                doubt.listen(route)
            blocks = _blocks(placed, route, stay.lane)
            answer = Answer(route, blocks, watch, include_usage=job.include_usage, single=single, doubt=doubt)
            try:
                await answer.start(chat=job.capability is Capability.CHAT)
            except BaseException:
                await answer.aclose()
                raise
            watch.started = True
            self.mover.adopt(answer, Course(job, decision, record, stay.lane, stay, placed, rooted=not single))
            return answer

        answer, stay = await self._first_that_takes(job, decision, record, watch, begin)
        self._began(answer.route, stay, record)
        try:
            await answer.scrutinise()
        except BaseException as error:
            await self.close(answer, record, error if isinstance(error, BackendError) else None)
            raise
        return answer

    async def close(self, answer: Answer, record: Record, error: BackendError | None) -> None:
        """Let go of an answer that was read to its end, broke with `error`, or was left by its client."""
        try:
            await answer.aclose()
        finally:
            course = self.mover.forget(answer)
            record.usage = answer.usage
            outcome = "broken" if error else "completed" if answer.complete else "left"
            if course.stay is not None:
                self._ended(course.stay, record, outcome, error)
            record.end(outcome, self._watchman.clock(), error.message if error else None)

    async def embed(self, job: Job, decision: Decision, record: Record, watch: Watch) -> dict[str, Any]:
        """The whole answer of an embeddings job. Raises as `open` does."""

        async def begin(route: Route, stay: Stay) -> dict[str, Any]:
            embeds = cast(Embeds, stay.lane.backend)  # a rule has seen that it can
            answer = await watch.guard(embeds.embed(job.to(route.model)))
            self._began(route, stay, record)
            record.usage = answer.get("usage")
            self._ended(stay, record, "completed", None)
            record.end("completed", self._watchman.clock())
            return answer

        answer, _ = await self._first_that_takes(job, decision, record, watch, begin)
        return answer

    async def _first_that_takes(
        self,
        job: Job,
        decision: Decision,
        record: Record,
        watch: Watch,
        begin: Callable[[Route, Stay], Awaitable[T]],
    ) -> tuple[T, Stay]:
        failures: list[BackendError] = []
        rejecting: set[str] = set()  # kinds that found fault with the job: their like will find the same
        for route in decision.routes:
            lane = self._lanes[route.backend]
            if lane.profile.kind in rejecting:
                continue
            watch.begin(route.backend, lane.settings.timeouts)
            if failures and watch.out_of_time():
                continue
            try:
                await self._take_a_place(lane, job, record, watch)
                return await self._attempt(route, lane, record, begin)
            except BackendError as error:
                record.attempts.append((route.backend, error.message))
                self._metrics.answers[route.backend, "refused"] += 1
                failures.append(error)
                if isinstance(error, JobRejectedError) and error.code != "context_length_exceeded":
                    rejecting.add(lane.profile.kind)
        raise last_resort(failures)

    async def _take_a_place(self, lane: Lane, job: Job, record: Record, watch: Watch) -> None:
        """At once where there is one; else the record tells how long the line was. What was cool enough when it was
        decided may be too hot by now.
        """
        if lane.hot:
            raise _too_hot(lane)
        if lane.try_enter():
            return
        record.line = lane.place(job.priority)
        since = self._watchman.clock()
        try:
            await watch.in_line(lane.enter(job.priority))
        finally:
            waited_seconds = self._watchman.clock() - since
            record.waited_seconds += waited_seconds
        self._metrics.wait_seconds[lane.profile.id].observe(waited_seconds)
        if lane.hot:
            lane.leave()
            raise _too_hot(lane)

    async def _attempt(
        self, route: Route, lane: Lane, record: Record, begin: Callable[[Route, Stay], Awaitable[T]]
    ) -> tuple[T, Stay]:
        """One route, with a place in its lane; the place is kept only if the answer begins."""
        now = self._watchman.clock()
        if not lane.breaker.admit(now):
            lane.leave()
            raise BackendRefusedError(route.backend, lane.breaker.reason or "is on trial, and busy with it")
        meter = self._meters[lane.profile.meter]
        stay = Stay(route, lane, record, meter, self._metrics, self._ledger, now)
        try:
            return await begin(route, stay), stay
        except BaseException as error:
            stay.end(self._watchman.clock())
            if isinstance(error, BackendError) and not isinstance(error, BackendBusyError | JobRejectedError):
                lane.breaker.failed(self._watchman.clock(), error.message)
            else:
                lane.breaker.abandoned()
            raise

    def _began(self, route: Route, stay: Stay, record: Record) -> None:
        now = self._watchman.clock()
        record.backend, record.model, record.first_chunk_seconds = route.backend, route.model, now - record.started
        stay.begin(now)
        self._metrics.first_chunk_seconds[route.backend].observe(now - record.started)

    def _ended(self, stay: Stay, record: Record, outcome: str, error: BackendError | None) -> None:
        """Close the books: what was learned, what became of it; the place is free again."""
        lane, now, usage = stay.lane, self._watchman.clock(), record.usage or {}
        if outcome == "completed":
            lane.breaker.succeeded()
            stay.complete(now, usage.get("completion_tokens"))
        elif error is not None:
            lane.breaker.failed(now, error.message)
        else:
            lane.breaker.abandoned()
        metrics, name = self._metrics, lane.profile.id
        metrics.answers[name, outcome] += 1
        metrics.prompt_tokens[name] += usage.get("prompt_tokens") or 0
        metrics.completion_tokens[name] += usage.get("completion_tokens") or 0
        stay.end(now)


def _too_hot(lane: Lane) -> BackendBusyError:
    return BackendBusyError(lane.profile.id, "has become too hot for new work", _COOLING_SECONDS, status=503)


def _blocks(job: Job, route: Route, lane: Lane) -> AsyncGenerator[bytes, None]:
    """The backend's own stream, or several of them as one where it makes only one choice at a time."""
    if job.choices > 1 and "n" not in lane.profile.honours[job.capability]:
        return fan_out(lane.stream, job, route.backend)
    return lane.stream(job)
