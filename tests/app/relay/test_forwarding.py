"""A doubted answer is asked of a larger model: who is asked, what is counted, and what is given back in every case."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from app.domain.backend import ServedModel
from app.domain.confidence import Forwarding, Judging
from app.domain.decision import Decision, Route
from app.domain.errors import BackendError, BackendRefusedError, DoubtfulError, StreamBrokenError
from app.domain.handoff import Begun
from app.domain.job import Job
from app.domain.sse import DONE
from app.relay.destinations import Limits, Surroundings
from app.relay.handoff import Mover
from app.relay.landing import Landing
from app.relay.policies import Policies
from app.relay.relay import Relay
from app.relay.watch import Watchman
from app.telemetry.decisions import Record
from app.telemetry.energy import Meter
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from backends.lane import Lane
from tests.app.builders import blocks_of, delta, event, job, told, usage_event
from tests.app.relay.test_doubt import JUDGE
from tests.fakes.backend import ScriptedBackend, ScriptedSettings, Step
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio

MODELS = {"a": "m-1b", "b": "m-8b", "c": "m-70b"}
#: By the judge of these tests right with 1 + a quarter of that; the last one is not worth hearing to its end.
SURE, FAIR, UNSURE = -0.2, -1.6, -3.6
BUFFER = Forwarding(min_confidence=0.7, mode=Judging.BUFFER)


def saying(name: str, logprob: float, words: int = 3) -> tuple[Step, ...]:
    content = [{"token": name, "logprob": logprob, "top_logprobs": []}]
    word = event(
        {"index": 0, "delta": {"content": f"{name} "}, "logprobs": {"content": content}, "finish_reason": None}
    )
    return delta("", role="assistant"), *[word] * words, delta(finish_reason="stop"), usage_event(), DONE


class Warmed(ScriptedBackend):
    """Reads a prompt until it is let go."""

    def __init__(self, settings: ScriptedSettings) -> None:
        super().__init__(settings)
        self.read = asyncio.Event()
        self.warmed = 0

    async def warm(self, job: Job, begun: Begun) -> None:
        self.warmed += 1
        await self.read.wait()


class Bench:
    """A relay over backends a, b and c, the larger the later; `scripts` are those of their answers."""

    def __init__(self, policy: Forwarding, *scripts: Iterable[Step], **settings: Any) -> None:
        self.clock, self.metrics, ledger = FakeClock(), Metrics(), Ledger()
        watchman = Watchman(15.0, self.clock)
        self.lanes: dict[str, Lane] = {}
        self.backends: dict[str, Warmed] = {}
        for name, script in zip(MODELS, scripts, strict=False):
            made = ScriptedSettings.model_validate({"id": name, **settings})
            self.backends[name] = backend = Warmed(made)
            backend.script = lambda _, script=script: script  # type: ignore[misc]
            self.lanes[name] = Lane(backend, made, self.clock)
            self.lanes[name].found((ServedModel(MODELS[name]),))
            self.lanes[name].breaker.probed()
        meters = {each.profile.meter: Meter() for each in self.lanes.values()}
        self.mover = Mover(watchman, self.metrics, Landing(self.clock, self.metrics, meters, ledger))
        self.mover.around = Surroundings(self.lanes, self.decide, dict, Limits(max_wait_seconds=0))
        policies = Policies(JUDGE, by_name={"*": policy})
        self.relay = Relay(self.lanes, watchman, self.metrics, meters, ledger, self.mover, policies)

    def decide(self, _: Job) -> Decision:
        lanes = self.lanes.items()
        return Decision(
            tuple(Route(lane.candidate(MODELS[name], ServedModel(MODELS[name]), 0), (), 0.0) for name, lane in lanes)
        )

    async def serve(self, **facts: Any) -> str:
        """What the client reads, and `record`."""
        asked = job(model="fast", **{"stream": True, **facts})
        self.record = Record(asked, self.clock())
        watch = self.relay.watch()
        answer = await self.relay.open(asked, self.decide(asked), self.record, watch)
        failure: BackendError | None = None
        try:
            blocks = [block async for block in blocks_of(answer)]
        except BackendError as error:
            failure = error
            raise
        finally:
            await self.relay.close(answer, self.record, failure)
            self.relay.forget(watch)
        events = [each for each in told(blocks) if each.get("choices")]
        return "".join(each["choices"][0]["delta"].get("content") or "" for each in events)

    @property
    def results(self) -> list[tuple[str, str]]:
        return [(attempt.backend, attempt.result) for attempt in self.record.judged]

    def busy(self) -> int:
        return sum(lane.busy for lane in self.lanes.values())


async def test_a_draft_is_kept_until_another_one_is_better() -> None:
    bench = Bench(BUFFER, saying("a", UNSURE), saying("b", SURE))

    assert await bench.serve() == "b b b "
    assert bench.results == [("a", "doubted"), ("b", "accepted")]
    assert bench.busy() == 0


async def test_every_answer_that_was_written_is_counted_with_its_tokens() -> None:
    bench = Bench(BUFFER, saying("a", UNSURE), saying("b", SURE))
    await bench.serve()

    assert bench.metrics.answers == {("a", "completed"): 1, ("b", "completed"): 1}
    assert bench.metrics.completion_tokens == {"a": 2, "b": 2}
    assert bench.metrics.forwardings == {("a", "b", "taken"): 1}
    assert {name: sum(each.buckets) for name, each in bench.metrics.confidence.items()} == {"a": 1, "b": 1}


async def test_one_that_was_not_heard_to_its_end_is_counted_as_doubted() -> None:
    bench = Bench(BUFFER, saying("a", UNSURE, words=30), saying("b", SURE))

    assert await bench.serve() == "b b b "
    assert bench.metrics.answers == {("a", "doubted"): 1, ("b", "completed"): 1}
    assert bench.backends["a"].closed == 1
    assert bench.lanes["a"].breaker.reason == ""


async def test_one_that_may_still_become_good_enough_is_heard_to_its_end() -> None:
    bench = Bench(BUFFER, saying("a", FAIR, words=30), saying("b", SURE))

    assert await bench.serve() == "b b b "
    assert bench.metrics.answers == {("a", "completed"): 1, ("b", "completed"): 1}
    assert [attempt.tokens for attempt in bench.record.judged] == [30, 3]


async def test_of_drafts_that_are_as_good_the_larger_models_is_told() -> None:
    bench = Bench(BUFFER, saying("a", FAIR), saying("b", FAIR), saying("c", UNSURE))

    assert await bench.serve() == "b b b "
    assert bench.results == [("a", "doubted"), ("b", "best"), ("c", "doubted")]


async def test_the_best_draft_is_told_with_its_own_usage() -> None:
    bench = Bench(BUFFER, saying("a", FAIR), saying("b", UNSURE), saying("c", UNSURE))

    assert await bench.serve() == "a a a "
    assert bench.results == [("a", "best"), ("b", "doubted"), ("c", "doubted")]
    assert (bench.record.backend, bench.record.model, bench.record.outcome) == ("a", "m-1b", "completed")


async def test_none_is_told_of_with_the_best_probability_and_nothing_is_left_running() -> None:
    policy = Forwarding(min_confidence=0.7, mode=Judging.BUFFER, return_best_attempt=False)
    bench = Bench(policy, saying("a", FAIR), saying("b", UNSURE))

    with pytest.raises(DoubtfulError, match=r"0\.60, less than the 0\.7"):
        await bench.serve()
    assert bench.busy() == 0
    assert bench.mover.courses == {}
    assert bench.record.outcome == "failed"


FAILURES: dict[str, tuple[Step, ...]] = {
    "refuses": (BackendRefusedError("b", "can't be reached"),),
    "breaks off at once": (StreamBrokenError("b", "fell over"),),
    "breaks off": (*saying("b", SURE)[:2], StreamBrokenError("b", "fell over")),
}


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("mode", [Judging.BUFFER, Judging.HOLD])
async def test_a_draft_is_the_answer_when_the_larger_one_fails(how: str, mode: Judging) -> None:
    bench = Bench(Forwarding(min_confidence=0.7, mode=mode), saying("a", UNSURE), FAILURES[how])

    said = await bench.serve()

    assert said == "a a a "
    assert bench.busy() == 0
    assert bench.record.outcome == "completed"


async def test_one_that_refuses_is_passed_over_and_counted_once() -> None:
    bench = Bench(BUFFER, saying("a", UNSURE, words=20), FAILURES["refuses"], saying("c", SURE))

    assert await bench.serve() == "c c c "
    assert bench.metrics.forwardings == {("a", "b", "refused"): 1, ("a", "c", "taken"): 1}
    assert bench.results == [("a", "doubted"), ("c", "accepted")]


# --- the larger one reads the prompt meanwhile

WARM = Forwarding(min_confidence=0.7, mode=Judging.BUFFER, warm=True)


async def test_the_next_one_reads_the_prompt_and_gives_its_place_back() -> None:
    go_on = asyncio.Event()
    words = saying("a", SURE)
    bench = Bench(WARM, (*words[:2], go_on, *words[2:]), saying("b", SURE))
    serving = asyncio.create_task(bench.serve())
    await settled(lambda: bench.backends["b"].warmed == 1)
    assert bench.lanes["b"].busy == 1

    go_on.set()
    assert await serving == "a a a "
    await settled(lambda: bench.busy() == 0)


async def test_a_place_is_given_back_even_if_nobody_came_to_read() -> None:
    """An answer that is there at once is over before anything else was begun."""
    bench = Bench(WARM, saying("a", SURE), saying("b", SURE))

    assert await bench.serve() == "a a a "
    await settled(lambda: bench.busy() == 0)


async def test_what_is_being_read_is_waited_for() -> None:
    bench = Bench(WARM, saying("a", UNSURE, words=30), saying("b", SURE), concurrency=1)
    serving = asyncio.create_task(bench.serve())
    await settled(lambda: bench.backends["b"].warmed == 1)
    assert not serving.done()

    bench.backends["b"].read.set()
    assert await serving == "b b b "
    await settled(lambda: bench.busy() == 0)


async def settled(condition: Callable[[], bool]) -> None:
    """Everybody in this loop does what they can."""
    for _ in range(50):
        await asyncio.sleep(0)
    assert condition()
