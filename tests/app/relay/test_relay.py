"""Which route carries an answer, and what is remembered of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.confidence.calibration import Calibration
from app.confidence.judge import Judge
from app.domain.backend import Capability, Health
from app.domain.decision import Decision
from app.domain.errors import (
    BackendBusyError,
    BackendRefusedError,
    BackendTimeoutError,
    JobRejectedError,
    RateLimitedError,
    StreamBrokenError,
)
from app.domain.job import Job, Priority
from app.domain.sse import DONE, encode
from app.domain.thermal import Reading
from app.relay.answer import Answer
from app.relay.collect import collect
from app.relay.destinations import Limits, Surroundings
from app.relay.handoff import Mover
from app.relay.landing import Landing
from app.relay.policies import Estimates, Policies
from app.relay.relay import Relay
from app.relay.watch import Watch, Watchman
from app.telemetry.decisions import Record
from app.telemetry.energy import Meter
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from backends.base import Resources
from backends.lane import Lane
from tests.app.builders import USAGE, blocks_of, decision, delta, job, lane, told, usage_event
from tests.fakes.backend import ScriptedBackend, ScriptedSettings, Step
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio

GOOD: tuple[Step, ...] = (delta("", role="assistant"), delta("Hi"), delta(finish_reason="stop"), usage_event(), DONE)
NO_POLICIES = Policies(Judge(Calibration(), 0.8), Estimates.NEVER)
TIMEOUTS = {"connect": 1, "first_token": 10, "stall": 5, "total": 100}
REFUSED = BackendRefusedError("a", "can't be reached")


class Bench:
    """A relay over backends named a, b, c, one for each script, in this order of preference."""

    def __init__(self, *scripts: tuple[Step, ...], **settings: Any) -> None:
        self.clock = FakeClock()
        self.watchman = Watchman(15.0, self.clock)
        self.metrics = Metrics()
        self.lanes: dict[str, Lane] = {}
        self.backends: dict[str, ScriptedBackend] = {}
        for name, script in zip("abc", scripts, strict=False):
            made, backend = lane(name, self.clock, **{"timeouts": TIMEOUTS, **settings})
            backend.script = lambda _, script=script: script  # type: ignore[misc]
            self.lanes[name], self.backends[name] = made, backend
        self.meters = {made.profile.meter: Meter() for made in self.lanes.values()}
        ledger = Ledger()
        self.mover = Mover(self.watchman, self.metrics, Landing(self.clock, self.metrics, self.meters, ledger))
        self.mover.around = Surroundings(self.lanes, lambda _: self.decision, dict, Limits(max_moves=0))
        self.relay = Relay(self.lanes, self.watchman, self.metrics, self.meters, ledger, self.mover, NO_POLICIES)
        self.record = Record(job(), self.clock())

    @property
    def decision(self) -> Decision:
        return decision(*self.lanes.values())

    def watch(self) -> Watch:
        return self.relay.watch()

    async def open(self, asked: Job | None = None) -> Answer:
        return await self.relay.open(asked or job(), self.decision, self.record, self.watch())

    async def serve(self, asked: Job | None = None) -> bytes:
        """Open, read to the end, close: as a door does."""
        answer = await self.open(asked)
        failure: StreamBrokenError | None = None
        try:
            return b"".join([block async for block in blocks_of(answer)])
        except StreamBrokenError as error:
            failure = error
            raise
        finally:
            await self.relay.close(answer, self.record, failure)

    async def pass_by(self, seconds: float) -> None:
        """Let the loop turn, then look at the clocks so much later."""
        for _ in range(5):
            await asyncio.sleep(0)
        self.clock.advance(seconds)
        self.watchman.look(self.clock())

    def busy(self) -> list[int]:
        return [each.busy for each in self.lanes.values()]

    def asked(self) -> list[int]:
        return [len(each.asked) for each in self.backends.values()]


async def test_the_best_route_answers_and_the_others_are_not_asked() -> None:
    bench = Bench(GOOD, GOOD)

    sent = await bench.serve()

    assert collect(sent, None)["choices"][0]["message"]["content"] == "Hi"
    assert sent.endswith(DONE)
    assert bench.asked() == [1, 0]
    assert bench.record.backend == "a"


async def test_a_backend_gets_the_job_by_its_own_name_of_the_model() -> None:
    bench = Bench(GOOD)

    await bench.serve(job(model="auto"))

    assert bench.backends["a"].asked[0].body["model"] == "small"


@pytest.mark.parametrize("capability", [Capability.CHAT, Capability.COMPLETE])
async def test_every_kind_of_stream_is_carried(capability: Capability) -> None:
    bench = Bench(GOOD)

    assert (await bench.serve(job(capability))).endswith(DONE)


@pytest.mark.parametrize(
    "refusal",
    [
        (REFUSED,),
        (BackendBusyError("a", "is busy"),),
        (BackendTimeoutError("a", "could not be reached in time"),),
        (encode(b'{"error": {"message": "out of memory"}}'),),
        (encode(b"<html>"),),
        (encode(b"[1]"),),
        (DONE,),
        (),
        (usage_event(), DONE),
    ],
    ids=["refused", "busy", "timeout", "error event", "no JSON", "no object", "only done", "nothing", "only usage"],
)
async def test_whoever_says_nothing_of_use_first_is_followed_by_the_next(refusal: tuple[Step, ...]) -> None:
    bench = Bench(refusal, GOOD)

    sent = await bench.serve()

    assert told([sent])[1]["choices"][0]["delta"]["content"] == "Hi"
    assert [backend for backend, _ in bench.record.attempts] == ["a"]
    assert bench.metrics.answers["a", "refused"] == 1
    assert bench.record.backend == "b"
    assert bench.busy() == [0, 0]
    assert bench.backends["a"].closed == 1


async def test_when_all_refuse_the_client_hears_why_and_no_place_stays_taken() -> None:
    bench = Bench((BackendBusyError("a", "is busy"),), (REFUSED,))

    with pytest.raises(BackendRefusedError) as caught:
        await bench.open()

    assert caught.value is REFUSED
    assert bench.busy() == [0, 0]
    assert [backend for backend, _ in bench.record.attempts] == ["a", "b"]


async def test_when_all_are_busy_it_is_a_rate_limit() -> None:
    bench = Bench((BackendBusyError("a", "is busy", 8.0),), (BackendBusyError("b", "is busy", 3.0),))

    with pytest.raises(RateLimitedError) as caught:
        await bench.open()

    assert caught.value.retry_after_seconds == 3.0


async def test_a_fault_of_the_job_ends_the_search() -> None:
    bench = Bench((JobRejectedError("a", 400, "'tools' has no name", param="tools"),), GOOD)

    with pytest.raises(JobRejectedError):
        await bench.open()

    assert bench.asked() == [1, 0]
    assert bench.lanes["a"].breaker.health is Health.CLOSED


async def test_a_prompt_that_is_too_long_for_one_may_fit_the_next() -> None:
    bench = Bench((JobRejectedError("a", 400, "too long", code="context_length_exceeded"),), GOOD)

    await bench.serve()

    assert bench.record.backend == "b"


async def test_once_the_answer_has_begun_a_failure_is_the_clients_to_know() -> None:
    bench = Bench((delta("Hi", role="assistant"), StreamBrokenError("a", "broke off")), GOOD)

    with pytest.raises(StreamBrokenError):
        await bench.serve()

    assert bench.asked() == [1, 0]
    assert (bench.record.outcome, bench.record.error) == ("broken", "backend 'a' broke off")
    assert bench.metrics.answers["a", "broken"] == 1
    assert bench.busy() == [0, 0]


async def test_the_place_is_held_until_the_answer_is_closed() -> None:
    bench = Bench(GOOD)

    answer = await bench.open()
    assert bench.busy() == [1]
    await bench.relay.close(answer, bench.record, None)

    assert bench.busy() == [0]


async def test_an_answer_that_its_client_leaves_is_no_failure_and_stops_the_backend() -> None:
    bench = Bench((delta("Hi", role="assistant"), asyncio.Event()), health={"failures": 1})

    answer = await bench.open()
    await bench.relay.close(answer, bench.record, None)

    assert bench.record.outcome == "left"
    assert bench.metrics.answers["a", "left"] == 1
    assert bench.backends["a"].closed == 1
    assert bench.lanes["a"].breaker.health is Health.CLOSED


async def test_what_a_complete_answer_taught_is_remembered() -> None:
    rest = asyncio.Event()
    bench = Bench((rest, *GOOD))
    serving = asyncio.create_task(bench.serve())
    await bench.pass_by(0.4)
    rest.set()
    await serving

    record, metrics = bench.record, bench.metrics
    assert (record.outcome, record.backend, record.model) == ("completed", "a", "small")
    assert record.usage == USAGE
    assert record.first_chunk_seconds == pytest.approx(0.4)
    assert (metrics.prompt_tokens["a"], metrics.completion_tokens["a"]) == (7, 2)
    assert metrics.answers["a", "completed"] == 1
    assert sum(metrics.first_chunk_seconds["a"].buckets) == 1
    seconds = bench.lanes["a"].candidate("small", None, 0).learned.first_token_seconds
    assert seconds == pytest.approx(0.4)


async def test_failures_in_a_row_open_the_breaker_and_the_next_job_goes_elsewhere_without_asking() -> None:
    bench = Bench((REFUSED,), GOOD, health={"failures": 2, "cooldown_seconds": 30})
    for _ in range(2):
        await bench.serve()
    assert bench.lanes["a"].health() is Health.OPEN

    await bench.serve()

    assert bench.asked() == [2, 3]


async def test_being_busy_is_no_illness() -> None:
    bench = Bench((BackendBusyError("a", "is busy"),), GOOD, health={"failures": 1})

    await bench.serve()

    assert bench.lanes["a"].health() is Health.CLOSED


async def test_after_the_cooldown_one_job_may_try_and_heals_it() -> None:
    bench = Bench(GOOD, health={"failures": 1, "cooldown_seconds": 30})
    bench.lanes["a"].breaker.failed(bench.clock(), "stalled")
    with pytest.raises(BackendRefusedError, match="stalled"):
        await bench.open()
    bench.clock.advance(30)

    first = await bench.open()
    with pytest.raises(BackendRefusedError):
        await bench.open()
    while not first.complete:
        await first.next()
    await bench.relay.close(first, bench.record, None)

    assert bench.lanes["a"].health() is Health.CLOSED
    assert bench.busy() == [0]


async def test_a_job_that_the_breaker_does_not_let_through_tells_nothing_of_the_backend() -> None:
    """It opened while the job was in line: its cooldown goes on, and no energy was spent."""
    bench = Bench(GOOD, GOOD, health={"failures": 1, "cooldown_seconds": 30})
    bench.lanes["a"].breaker.failed(bench.clock(), "stalled")
    bench.clock.advance(20)

    await bench.serve()

    assert bench.record.attempts == [("a", "backend 'a' stalled")]
    assert bench.lanes["a"].breaker.retry_seconds(bench.clock()) == 10
    assert bench.busy() == [0, 0]
    assert bench.meters[bench.lanes["a"].profile.meter]._backends == {}


async def test_a_job_beside_the_one_that_is_on_trial_does_not_end_the_trial() -> None:
    bench = Bench(GOOD, health={"failures": 1, "cooldown_seconds": 30})
    bench.lanes["a"].breaker.failed(bench.clock(), "stalled")
    bench.clock.advance(30)
    first = await bench.open()

    with pytest.raises(BackendRefusedError):
        await bench.open()

    assert bench.lanes["a"].health() is Health.HALF_OPEN
    await bench.relay.close(first, bench.record, None)


async def test_open_answers_are_known_with_their_decisions_until_they_are_closed() -> None:
    bench = Bench(GOOD, GOOD)
    bench.mover.around = Surroundings(bench.lanes, lambda _: bench.decision, dict)
    answer = await bench.open()
    (running,) = bench.mover.running()
    assert (running[0].backend, [route.backend for route in running[1].routes]) == ("a", ["a", "b"])

    await bench.relay.close(answer, bench.record, None)

    assert list(bench.mover.running()) == []


async def test_an_answer_that_breaks_is_paid_for_too() -> None:
    bench = Bench((delta("Hi", role="assistant"), asyncio.Event()), watts=10)
    answer = await bench.open()
    bench.clock.advance(3)
    await bench.relay.close(answer, bench.record, StreamBrokenError("a", "broke off"))

    assert bench.record.energy is not None
    assert bench.record.energy.joules == 30.0
    assert bench.metrics.energy_joules == {("a", "estimated"): 30.0}


async def test_backends_in_one_zone_share_its_energy() -> None:
    bench = Bench(GOOD, GOOD, zone="soc")
    assert list(bench.meters) == ["soc"]
    meter = bench.meters["soc"]
    meter.read(Reading(bench.clock(), joules=0.0))
    answers = []
    for name in ("a", "b"):
        record = Record(job(), bench.clock())
        answers.append((await bench.relay.open(job(), decision(bench.lanes[name]), record, bench.watch()), record))
    bench.clock.advance(4)
    for answer, record in answers:
        await bench.relay.close(answer, record, None)
    meter.read(Reading(bench.clock(), joules=80.0))

    assert [record.energy and record.energy.joules for _, record in answers] == [40.0, 40.0]


async def test_a_backend_that_says_nothing_is_given_up_and_the_next_is_asked() -> None:
    bench = Bench((asyncio.Event(),), GOOD)
    serving = asyncio.create_task(bench.serve())

    await bench.pass_by(10.1)

    assert (await serving).endswith(DONE)
    assert bench.record.attempts == [("a", "backend 'a' sent nothing for 10 s")]
    assert bench.backends["a"].closed == 1
    assert bench.busy() == [0, 0]


async def test_when_the_time_for_the_whole_answer_is_over_no_other_is_tried_or_blamed() -> None:
    bench = Bench((asyncio.Event(),), GOOD, timeouts={**TIMEOUTS, "first_token": 100})
    serving = asyncio.create_task(bench.serve())

    await bench.pass_by(100.1)

    with pytest.raises(BackendTimeoutError, match="whole answer"):
        await serving
    assert bench.asked() == [1, 0]


async def test_a_job_waits_in_line_and_is_served_when_its_turn_comes() -> None:
    bench = Bench(GOOD, concurrency=1)
    first = await bench.open()
    second = asyncio.create_task(bench.serve())
    await bench.pass_by(0)
    assert bench.asked() == [1]

    await bench.relay.close(first, bench.record, None)

    assert (await second).endswith(DONE)
    assert bench.busy() == [0]


async def test_a_line_is_told_with_how_long_it_was_and_how_long_it_took() -> None:
    bench = Bench(GOOD, concurrency=1)
    bench.lanes["a"].ended("small", 1.0, 10, 6.0)
    first = await bench.open()
    assert (bench.record.line, bench.record.waited_seconds) == (None, 0.0)
    bench.record = Record(job(), bench.clock())
    second = asyncio.create_task(bench.serve())
    await bench.pass_by(2)
    assert bench.record.line == (0, 6.0)

    await bench.relay.close(first, Record(job(), 0.0), None)
    await second

    assert bench.record.waited_seconds == 2.0
    assert bench.metrics.wait_seconds["a"].total == 2.0


async def test_each_line_that_a_job_stood_in_is_counted_for_itself() -> None:
    bench = Bench(GOOD, GOOD, concurrency=1)
    watch, holding = bench.watch(), Record(job(), 0.0)
    on_a, on_b = [await bench.relay.open(job(), decision(bench.lanes[name]), holding, watch) for name in ("a", "b")]
    serving = asyncio.create_task(bench.serve())
    await bench.pass_by(2)
    bench.backends["a"].script = lambda _: (REFUSED,)
    await bench.relay.close(on_a, holding, None)
    await bench.pass_by(3)
    await bench.relay.close(on_b, holding, None)
    await serving

    assert bench.record.waited_seconds == 5.0
    assert {name: each.total for name, each in bench.metrics.wait_seconds.items()} == {"a": 2.0, "b": 3.0}


async def test_a_line_that_moves_in_no_time_is_a_line_all_the_same() -> None:
    """A clock may be too coarse to see how long a short answer took."""
    bench = Bench(GOOD, concurrency=1)
    bench.lanes["a"].ended("small", 0.0, 10, 0.0)
    first = await bench.open()
    assert bench.lanes["a"].place() == (0, 0.0)
    bench.relay.forget(first.watch)
    second = asyncio.create_task(bench.serve())

    await bench.pass_by(100.1)

    with pytest.raises(BackendTimeoutError):
        await second
    await bench.relay.close(first, bench.record, None)


async def test_the_more_urgent_job_is_served_first() -> None:
    bench = Bench(GOOD, concurrency=1)
    first = await bench.open()
    waiting = [
        asyncio.create_task(bench.serve(job(request_id=priority.word, priority=priority))) for priority in Priority
    ]
    await bench.pass_by(0)

    await bench.relay.close(first, bench.record, None)
    await asyncio.gather(*waiting)

    asked = [each.request_id for each in bench.backends["a"].asked]
    assert asked == ["request-1", "critical", "high", "normal", "best-effort"]


async def test_waiting_in_line_for_longer_than_a_whole_answer_may_take_is_a_timeout() -> None:
    bench = Bench(GOOD, concurrency=1)
    first = await bench.open()
    bench.relay.forget(first.watch)
    second = asyncio.create_task(bench.serve())

    await bench.pass_by(100.1)

    with pytest.raises(BackendTimeoutError):
        await second
    assert bench.asked() == [1]
    assert bench.lanes["a"].waiting() == 0
    assert bench.lanes["a"].health() is Health.CLOSED
    await bench.relay.close(first, bench.record, None)
    assert bench.busy() == [0]


async def test_when_the_line_is_full_the_next_route_takes_it() -> None:
    bench = Bench((delta("Hi", role="assistant"), asyncio.Event()), GOOD, concurrency=1, queue=0)
    first = await bench.open()

    await bench.serve()

    assert bench.record.backend == "b"
    await bench.relay.close(first, bench.record, None)


async def test_a_backend_that_has_become_too_hot_is_not_asked_and_the_next_is() -> None:
    bench = Bench(GOOD, GOOD)
    bench.lanes["a"].hot = True

    await bench.serve()

    assert bench.asked() == [0, 1]
    assert bench.record.attempts == [("a", "backend 'a' has become too hot for new work")]


async def test_who_waited_for_what_became_too_hot_goes_to_the_next_and_leaves_no_place_taken() -> None:
    bench = Bench((delta("Hi", role="assistant"), asyncio.Event()), GOOD, concurrency=1)
    first = await bench.open()
    waiting = asyncio.create_task(bench.serve())
    await bench.pass_by(0)
    bench.lanes["a"].hot = True
    await bench.relay.close(first, bench.record, None)
    await waiting

    assert bench.asked() == [1, 1]
    assert bench.busy() == [0, 0]


async def test_a_client_that_leaves_before_the_first_word_gives_the_place_back() -> None:
    bench = Bench((asyncio.Event(),), GOOD)
    watches: list[Watch] = []

    async def carry() -> None:
        watches.append(bench.watch())
        await bench.relay.open(job(), bench.decision, bench.record, watches[0])

    task = asyncio.create_task(carry())
    await bench.pass_by(0)
    watches[0].leave()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.busy() == [0, 0]
    assert bench.asked() == [1, 0]
    assert bench.backends["a"].closed == 1


async def test_a_chat_that_begins_without_a_role_gets_one_and_a_completion_does_not() -> None:
    bench = Bench((delta("🙂"), delta(finish_reason="stop"), DONE))

    chat = await bench.serve()
    completion = await bench.serve(job(Capability.COMPLETE))

    assert told([chat])[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert b'"role"' not in completion


async def test_several_choices_of_a_backend_that_makes_one_at_a_time() -> None:
    bench = Bench(GOOD)

    sent = await bench.serve(job(body={"n": 3}, choices=3, include_usage=True))

    whole = collect(sent, None)
    assert [choice["message"]["content"] for choice in whole["choices"]] == ["Hi"] * 3
    assert bench.asked() == [3]
    assert bench.metrics.completion_tokens["a"] == 6


async def test_a_backend_that_makes_several_choices_is_asked_once() -> None:
    class Several(ScriptedBackend):
        def __init__(self, settings: ScriptedSettings, resources: Resources | None = None) -> None:
            super().__init__(settings, resources)
            honours = {Capability.CHAT: frozenset({"n"})}
            self.profile = settings.profile(honours)

    bench, settings = Bench(GOOD), ScriptedSettings(id="a")
    several = Several(settings)
    several.script = lambda _: GOOD
    bench.lanes["a"] = Lane(several, settings, bench.clock)
    bench.meters[several.profile.meter] = Meter()
    bench.lanes["a"].breaker.probed()

    await bench.serve(job(body={"n": 3}, choices=3))

    assert [each.body["n"] for each in several.asked] == [3]


async def test_embeddings_come_whole() -> None:
    bench = Bench((), ())
    vectors = {"object": "list", "data": [], "usage": {"prompt_tokens": 4, "total_tokens": 4}}
    bench.backends["a"].vectors = BackendRefusedError("a", "can't be reached")
    bench.backends["b"].vectors = vectors

    answer = await bench.relay.embed(job(Capability.EMBED), bench.decision, bench.record, bench.watch())

    assert answer == vectors
    assert (bench.record.outcome, bench.record.backend) == ("completed", "b")
    assert bench.metrics.prompt_tokens["b"] == 4
    assert bench.busy() == [0, 0]


async def test_embeddings_that_take_too_long_are_given_up() -> None:
    bench = Bench(())
    bench.backends["a"].gate.clear()

    async def ask() -> dict[str, Any]:
        return await bench.relay.embed(job(Capability.EMBED), bench.decision, bench.record, bench.watch())

    asking = asyncio.create_task(ask())
    await bench.pass_by(10.1)

    with pytest.raises(BackendTimeoutError):
        await asking
    assert bench.busy() == [0]


async def test_nothing_that_a_backend_raises_leaves_its_place_taken() -> None:
    bench = Bench((RuntimeError("a bug"),))

    with pytest.raises(RuntimeError):
        await bench.open()

    assert bench.busy() == [0]
    assert bench.backends["a"].closed == 1
