"""Finds the first route that takes the job, and accounts for what becomes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

from app.domain.backend import Capability
from app.domain.decision import Decision, Route
from app.domain.errors import BackendBusyError, BackendError, BackendRefusedError, JobRejectedError
from app.domain.job import Job
from app.relay.answer import Answer
from app.relay.fan_out import fan_out
from app.relay.last_resort import last_resort
from app.relay.transcript import with_role
from app.relay.watch import Watch, Watchman
from app.telemetry.decisions import Record
from app.telemetry.metrics import Metrics
from backends.base import Embeds
from backends.lane import Lane

_STREAMS = {Capability.CHAT: "chat", Capability.COMPLETE: "complete"}
T = TypeVar("T")


class Relay:
    """One for the gateway; `lanes` by backend id."""

    def __init__(self, lanes: Mapping[str, Lane], watchman: Watchman, metrics: Metrics) -> None:
        self._lanes = lanes
        self._watchman = watchman
        self._metrics = metrics

    def watch(self) -> Watch:
        """Clocks for the current task; whoever got them must give them to `forget`."""
        return self._watchman.watch()

    def forget(self, watch: Watch) -> None:
        self._watchman.forget(watch)

    async def open(self, job: Job, decision: Decision, record: Record, watch: Watch) -> Answer:
        """An answer whose first block has come. Whoever got it must give it to `close`.

        Raises what the last route said: JobRejectedError, RateLimitedError, BackendTimeoutError, BackendRefusedError.
        """

        async def begin(route: Route, lane: Lane) -> Answer:
            answer = Answer(route, _blocks(job, route, lane), watch, include_usage=job.include_usage)
            try:
                while not answer.first:
                    answer.first = await answer.next()
                if job.capability is Capability.CHAT:
                    answer.first = with_role(answer.first)
            except ValueError as error:
                await answer.aclose()
                raise BackendRefusedError(route.backend, "sent an event that is no JSON") from error
            except BaseException:
                await answer.aclose()
                raise
            watch.started = True
            return answer

        answer = await self._first_that_takes(decision, record, watch, begin)
        self._began(answer.route, record, watch)
        return answer

    async def close(self, answer: Answer, record: Record, error: BackendError | None) -> None:
        """Let go of an answer that was read to its end, broke with `error`, or was left by its client."""
        lane = self._lanes[answer.route.backend]
        try:
            await answer.aclose()
        finally:
            lane.leave()
            record.usage = answer.usage
            self._ended(lane, record, "broken" if error else "completed" if answer.complete else "left", error)

    async def embed(self, job: Job, decision: Decision, record: Record, watch: Watch) -> dict[str, Any]:
        """The whole answer of an embeddings job. Raises as `open` does."""

        async def begin(route: Route, lane: Lane) -> dict[str, Any]:
            embeds = cast(Embeds, lane.backend)  # a rule has seen that it can
            answer = await watch.guard(embeds.embed(job.to(route.model)))
            self._began(route, record, watch)
            record.usage = answer.get("usage")
            self._ended(lane, record, "completed", None)
            lane.leave()
            return answer

        return await self._first_that_takes(decision, record, watch, begin)

    async def _first_that_takes(
        self, decision: Decision, record: Record, watch: Watch, begin: Callable[[Route, Lane], Awaitable[T]]
    ) -> T:
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
                await watch.in_line(lane.enter())
                return await self._attempt(route, lane, begin)
            except BackendError as error:
                record.attempts.append((route.backend, error.message))
                self._metrics.answers[route.backend, "refused"] += 1
                failures.append(error)
                if isinstance(error, JobRejectedError) and error.code != "context_length_exceeded":
                    rejecting.add(lane.profile.kind)
        raise last_resort(failures)

    async def _attempt(self, route: Route, lane: Lane, begin: Callable[[Route, Lane], Awaitable[T]]) -> T:
        """One route, with a place in its lane; the place is kept only if the answer begins."""
        try:
            now = self._watchman.clock()
            if not lane.breaker.admit(now):
                raise BackendRefusedError(route.backend, lane.breaker.reason or "is on trial, and busy with it")
            return await begin(route, lane)
        except BaseException as error:
            lane.leave()
            if isinstance(error, BackendError) and not isinstance(error, BackendBusyError | JobRejectedError):
                lane.breaker.failed(self._watchman.clock(), error.message)
            else:
                lane.breaker.abandoned()
            raise

    def _began(self, route: Route, record: Record, watch: Watch) -> None:
        seconds = watch.clock() - record.started
        record.backend, record.model, record.first_chunk_seconds = route.backend, route.model, seconds
        self._lanes[route.backend].began(route.model, seconds)
        self._metrics.first_chunk_seconds[route.backend].observe(seconds)

    def _ended(self, lane: Lane, record: Record, outcome: str, error: BackendError | None) -> None:
        now, name = self._watchman.clock(), lane.profile.id
        if outcome == "completed":
            lane.breaker.succeeded()
        elif error is not None:
            lane.breaker.failed(now, error.message)
        else:
            lane.breaker.abandoned()
        record.end(outcome, now, error.message if error else None)
        metrics, usage = self._metrics, record.usage or {}
        metrics.answers[name, outcome] += 1
        metrics.prompt_tokens[name] += usage.get("prompt_tokens") or 0
        metrics.completion_tokens[name] += usage.get("completion_tokens") or 0


def _blocks(job: Job, route: Route, lane: Lane) -> AsyncGenerator[bytes, None]:
    """The backend's own stream, or several of them as one where it makes only one choice at a time."""
    stream: Callable[[Job], AsyncGenerator[bytes, None]] = getattr(lane.backend, _STREAMS[job.capability])
    placed = job.to(route.model)
    if job.choices > 1 and "n" not in lane.profile.honours[job.capability]:
        return fan_out(stream, placed, route.backend)
    return stream(placed)
