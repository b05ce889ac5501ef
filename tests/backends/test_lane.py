"""A backend's places, and what is known of it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Capability, Health, ServedModel
from app.domain.errors import BackendBusyError
from backends.lane import Lane
from tests.app.builders import lane
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def names(box: Lane) -> list[str]:
    return list(box.models)


async def test_there_are_as_many_places_as_jobs_that_it_takes_at_once() -> None:
    box, _ = lane(concurrency=2)

    await box.enter()
    await box.enter()
    third = asyncio.create_task(box.enter())
    await turns()

    assert (box.busy, box.waiting()) == (2, 1)
    assert not third.done()
    box.leave()
    await third
    assert (box.busy, box.waiting()) == (2, 0)


async def test_places_are_given_in_the_order_of_the_line() -> None:
    box, _ = lane(concurrency=1)
    order: list[int] = []

    async def work(number: int) -> None:
        await box.enter()
        order.append(number)
        box.leave()

    await box.enter()
    waiting = [asyncio.create_task(work(number)) for number in range(5)]
    await turns()
    box.leave()
    await asyncio.gather(*waiting)

    assert order == [0, 1, 2, 3, 4]
    assert box.busy == 0


async def test_nobody_overtakes_the_line() -> None:
    box, _ = lane(concurrency=1)
    await box.enter()
    first = asyncio.create_task(box.enter())
    await turns()

    box.leave()  # the place is the first one's, though it has not run yet
    late = asyncio.create_task(box.enter())
    await turns()

    assert first.done()
    assert not late.done()
    box.leave()
    await late


async def test_when_too_many_wait_the_next_is_turned_away() -> None:
    box, _ = lane(concurrency=1, queue=1)
    await box.enter()
    waiting = asyncio.create_task(box.enter())
    await turns()

    with pytest.raises(BackendBusyError, match="'box' has no room"):
        await box.enter()

    box.leave()
    await waiting


async def test_without_a_queue_nobody_waits() -> None:
    box, _ = lane(concurrency=1, queue=0)
    await box.enter()

    with pytest.raises(BackendBusyError):
        await box.enter()


async def test_whoever_leaves_the_line_holds_nobody_up() -> None:
    box, _ = lane(concurrency=1)
    await box.enter()
    first, second = asyncio.create_task(box.enter()), asyncio.create_task(box.enter())
    await turns()

    first.cancel()
    await turns()
    box.leave()
    await second

    assert (box.busy, box.waiting()) == (1, 0)


async def test_a_place_given_to_one_who_is_leaving_goes_to_the_next() -> None:
    box, _ = lane(concurrency=1)
    await box.enter()
    first, second = asyncio.create_task(box.enter()), asyncio.create_task(box.enter())
    await turns()

    box.leave()
    first.cancel()
    await second

    assert first.cancelled()
    assert box.busy == 1


async def test_one_who_is_leaving_is_passed_over_when_a_place_comes_free_at_the_same_time() -> None:
    box, _ = lane(concurrency=1)
    await box.enter()
    first, second = asyncio.create_task(box.enter()), asyncio.create_task(box.enter())
    await turns()

    first.cancel()
    box.leave()
    await second

    assert first.cancelled()
    assert (box.busy, box.waiting()) == (1, 0)


async def test_when_all_who_wait_are_leaving_the_place_is_free() -> None:
    box, _ = lane(concurrency=1)
    await box.enter()
    waiting = [asyncio.create_task(box.enter()) for _ in range(3)]
    await turns()

    for each in waiting:
        each.cancel()
    box.leave()
    await turns()

    assert all(each.cancelled() for each in waiting)
    assert (box.busy, box.waiting()) == (0, 0)
    await box.enter()


@given(st.lists(st.sampled_from(["enter", "leave", "cancel first", "cancel last", "turn"]), max_size=40))
async def test_no_place_is_lost_or_given_twice_whatever_happens(steps: list[str]) -> None:
    box, _ = lane(concurrency=2, queue=3)
    waiting: list[asyncio.Task[None]] = []
    inside = 0
    for step in steps:
        if step == "enter":
            waiting.append(asyncio.create_task(box.enter()))
        elif step.startswith("cancel") and waiting:
            waiting[0 if step == "cancel first" else -1].cancel()
        elif step == "leave" and inside:
            inside -= 1
            box.leave()
        elif step == "turn":
            await turns()
        for each in [each for each in waiting if each.done()]:
            waiting.remove(each)
            inside += not each.cancelled() and each.exception() is None
        assert inside <= 2
    for each in waiting:
        each.cancel()
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        inside += result is None

    assert (box.busy, box.waiting()) == (inside, 0)


async def test_it_is_empty_once_the_last_one_has_left() -> None:
    box, _ = lane(concurrency=2)
    await box.emptied()
    await box.enter()
    await box.enter()
    emptied = asyncio.create_task(box.emptied())
    await turns()

    box.leave()
    await turns()
    assert not emptied.done()
    box.leave()

    await emptied


async def test_it_is_not_empty_while_somebody_came_in_again() -> None:
    box, _ = lane()
    await box.enter()
    emptied = asyncio.create_task(box.emptied())
    await turns()

    box.leave()
    await box.enter()
    await turns()

    assert not emptied.done()
    box.leave()
    await emptied


def test_a_candidate_shows_the_backend_as_it_stands() -> None:
    clock = FakeClock()
    box, _ = lane(clock=clock, concurrency=3, health={"failures": 1, "cooldown_seconds": 20})
    box.busy = 2
    box.began("small", 0.5)
    box.breaker.failed(clock(), "stalled")
    clock.advance(5)

    seen = box.candidate("small", box.models["small"], 1)

    assert (seen.profile.id, seen.model.name, seen.serves, seen.preference) == ("box", "small", True, 1)
    assert (seen.busy, seen.waiting, seen.first_token_seconds) == (2, 0, 0.5)
    assert (seen.health, seen.retry_seconds, seen.ailment) == (Health.OPEN, 15, "stalled")


def test_a_candidate_without_the_model_says_so() -> None:
    seen = lane()[0].candidate("other", None, 0)

    assert (seen.model.name, seen.serves) == ("other", False)


def test_the_time_to_the_first_token_is_unknown_then_exact_then_a_mean_that_leans_to_the_newest() -> None:
    box, _ = lane()
    assert box.candidate("small", None, 0).first_token_seconds is None

    box.began("small", 1.0)
    assert box.candidate("small", None, 0).first_token_seconds == 1.0
    box.began("small", 2.0)

    assert box.candidate("small", None, 0).first_token_seconds == pytest.approx(1.2)
    assert box.candidate("other", None, 0).first_token_seconds is None


def test_models_named_exactly_are_served_before_the_backend_could_be_asked() -> None:
    box, _ = lane(models=["exact", "glob*"])

    assert names(Lane(box.backend, box.settings, FakeClock())) == ["exact"]


def test_only_models_that_the_patterns_allow_are_taken_from_a_probe() -> None:
    box, _ = lane(models=["a*"], excluded=["ab"])

    box.found((ServedModel("aa"), ServedModel("ab"), ServedModel("b")))

    assert names(box) == ["aa"]


def test_a_server_that_lists_nothing_is_believed_to_have_what_its_settings_name() -> None:
    box, _ = lane(models=["exact", "glob*"])
    box.found((ServedModel("glob-1"),))

    box.found(())

    assert names(box) == ["exact"]


def test_a_change_of_models_is_counted_and_the_same_again_is_not() -> None:
    box, _ = lane()
    before = box.changed

    box.found((ServedModel("small"),))
    assert box.changed == before
    box.found((ServedModel("small"), ServedModel("large")))

    assert box.changed == before + 1


def test_a_model_is_as_old_as_when_it_was_first_seen() -> None:
    box, _ = lane()
    box.found((ServedModel("x", created=100),))
    before = box.changed

    box.found((ServedModel("x", created=200),))

    assert box.models["x"].created == 100
    assert box.changed == before


def test_of_several_models_the_able_come_first_then_the_preferred_then_the_first_listed() -> None:
    box, _ = lane(preferred=["p*"])
    embeds = frozenset({Capability.EMBED})
    box.found((ServedModel("a"), ServedModel("b"), ServedModel("p1"), ServedModel("p0", capabilities=embeds)))

    def chosen(*allowed: str) -> str | None:
        model = box.choose(lambda name: name in allowed, Capability.CHAT)
        return None if model is None else model.name

    assert chosen("b", "a") == "a"
    assert chosen("a", "b", "p1") == "p1"
    assert chosen("a", "p0") == "a"
    assert chosen("p0") == "p0"
    assert chosen() is None


async def test_an_operator_reads_how_it_stands() -> None:
    clock = FakeClock()
    box, _ = lane("box", clock, hardware="npu", tier=2, watts=3.5, zone="npu0", concurrency=1, queue=5)
    box.began("small", 0.123456)
    await box.enter()

    assert box.describe() == {
        "id": "box",
        "kind": "tests.fakes.backend:ScriptedBackend",
        "hardware": "npu",
        "tier": 2,
        "watts": 3.5,
        "zone": "npu0",
        "health": "closed",
        "ailment": None,
        "retry_seconds": None,
        "capabilities": ["chat", "complete", "embed"],
        "models": ["small"],
        "busy": 1,
        "waiting": 0,
        "concurrency": 1,
        "queue": 5,
        "first_token_seconds": {"small": 0.1235},
    }


def test_an_operator_reads_what_ails_it_and_for_how_long() -> None:
    clock = FakeClock()
    box, _ = lane(clock=clock, health={"failures": 1, "cooldown_seconds": 20})
    box.breaker.failed(clock(), "stalled")
    clock.advance(0.04)

    told = box.describe()

    assert (told["health"], told["ailment"], told["retry_seconds"]) == ("open", "stalled", 20.0)
