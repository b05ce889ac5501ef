"""A backend's places, and what is known of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Capability, Health, Learned, Profile, ServedModel
from app.domain.errors import BackendBusyError
from app.domain.job import Priority
from app.domain.thermal import ThermalState, TripPoints, Zone
from backends.lane import Lane
from tests.app.builders import lane
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def entering(box: Lane, priority: Priority = Priority.NORMAL) -> asyncio.Future[None]:
    return asyncio.ensure_future(box.enter(priority))


async def full(concurrency: int = 1, **settings: Any) -> tuple[Lane, FakeClock]:
    """A lane whose places are all taken."""
    clock = FakeClock()
    box, _ = lane(clock=clock, concurrency=concurrency, **settings)
    for _ in range(concurrency):
        await box.enter()
    return box, clock


class Unpaced:
    """As little as a backend can be."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    async def start(self) -> None:
        """There is nothing to do."""

    async def stop(self) -> None:
        """There is nothing to do."""

    async def probe(self) -> tuple[ServedModel, ...]:
        return ()


def names(box: Lane) -> list[str]:
    return list(box.models)


async def test_there_are_as_many_places_as_jobs_that_it_takes_at_once() -> None:
    box, _ = lane(concurrency=2)

    await box.enter()
    await box.enter()
    third = entering(box)
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
    first = entering(box)
    await turns()

    box.leave()  # the place is the first one's, though it has not run yet
    late = entering(box)
    await turns()

    assert first.done()
    assert not late.done()
    box.leave()
    await late


async def test_when_too_many_wait_the_next_is_turned_away() -> None:
    box, _ = lane(concurrency=1, queue=1)
    await box.enter()
    waiting = entering(box)
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
    first, second = entering(box), entering(box)
    await turns()

    first.cancel()
    await turns()
    box.leave()
    await second

    assert (box.busy, box.waiting()) == (1, 0)


async def test_a_place_given_to_one_who_is_leaving_goes_to_the_next() -> None:
    box, _ = lane(concurrency=1)
    await box.enter()
    first, second = entering(box), entering(box)
    await turns()

    box.leave()
    first.cancel()
    await second

    assert first.cancelled()
    assert box.busy == 1


async def test_one_who_is_leaving_is_passed_over_when_a_place_comes_free_at_the_same_time() -> None:
    box, _ = lane(concurrency=1)
    await box.enter()
    first, second = entering(box), entering(box)
    await turns()

    first.cancel()
    box.leave()
    await second

    assert first.cancelled()
    assert (box.busy, box.waiting()) == (1, 0)


async def test_when_all_who_wait_are_leaving_the_place_is_free() -> None:
    box, _ = lane(concurrency=1)
    await box.enter()
    waiting = [entering(box) for _ in range(3)]
    await turns()

    for each in waiting:
        each.cancel()
    box.leave()
    await turns()

    assert all(each.cancelled() for each in waiting)
    assert (box.busy, box.waiting()) == (0, 0)
    await box.enter()


async def test_who_stops_waiting_without_being_cancelled_leaves_the_line_too() -> None:
    box, _ = await full()
    steps = box.enter().__await__()
    next(steps)
    assert box.waiting() == 1

    steps.close()
    box.leave()

    assert (box.busy, box.waiting()) == (0, 0)


async def test_a_task_that_is_cancelled_before_it_began_takes_no_place() -> None:
    box, _ = lane()

    entering(box).cancel()
    await turns()

    assert box.busy == 0


def let_in(waiting: list[asyncio.Future[None]]) -> int:
    """How many of them have a place now; they wait no more, nor do those that were turned away."""
    done = [each for each in waiting if each.done()]
    waiting[:] = [each for each in waiting if not each.done()]
    return sum(not each.cancelled() and each.exception() is None for each in done)


moves = st.tuples(
    st.sampled_from(["enter", "leave", "cancel first", "cancel last", "turn", "time"]), st.sampled_from(Priority)
)


@given(st.lists(moves, max_size=40))
async def test_no_place_is_lost_or_given_twice_whatever_happens(steps: list[tuple[str, Priority]]) -> None:
    clock = FakeClock()
    box, _ = lane(clock=clock, concurrency=2, queue=3, ageing_seconds=5)
    waiting: list[asyncio.Future[None]] = []
    inside = 0
    for step, priority in steps:
        if step == "enter":
            waiting.append(entering(box, priority))
        elif step.startswith("cancel") and waiting:
            waiting[0 if step == "cancel first" else -1].cancel()
        elif step == "leave" and inside:
            inside -= 1
            box.leave()
        elif step == "time":
            clock.advance(3)
        elif step == "turn":
            await turns()
        inside += let_in(waiting)
        assert inside <= 2
        if step == "turn":
            assert (box.busy, box.waiting()) == (inside, len(waiting))
            assert len(waiting) <= (3 if inside == 2 else 0), "nobody waits while a place is free"
    for each in waiting:
        each.cancel()
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        inside += result is None

    assert (box.busy, box.waiting()) == (inside, 0)


async def test_the_more_urgent_are_let_in_first() -> None:
    box, _ = await full()
    order: list[Priority] = []

    async def work(priority: Priority) -> None:
        await box.enter(priority)
        order.append(priority)
        box.leave()

    waiting = [asyncio.create_task(work(priority)) for priority in Priority]
    await turns()
    box.leave()
    await asyncio.gather(*waiting)

    assert order == sorted(Priority, reverse=True)


async def test_who_has_waited_long_enough_goes_before_who_is_more_urgent() -> None:
    box, clock = await full(ageing_seconds=10)
    patient = entering(box, Priority.BEST_EFFORT)
    await turns()
    clock.advance(30)
    urgent = entering(box, Priority.CRITICAL)
    await turns()

    box.leave()
    await turns()

    assert (patient.done(), urgent.done()) == (True, False)
    urgent.cancel()


async def test_in_a_full_line_the_least_urgent_gives_way_and_is_told_to_come_again() -> None:
    box, _ = await full(queue=2)
    box.ended("small", 1.0, None, 4.0)
    lowest, second = entering(box, Priority.BEST_EFFORT), entering(box, Priority.NORMAL)
    await turns()
    urgent = entering(box, Priority.HIGH)
    await turns()

    with pytest.raises(BackendBusyError, match="more urgent") as caught:
        await lowest

    assert (caught.value.status, caught.value.retry_after_seconds) == (429, 12.0)
    assert box.waiting() == 2
    box.leave()
    await urgent
    box.leave()
    await second


async def test_one_who_is_leaving_anyway_gives_way_without_a_word() -> None:
    box, _ = await full(queue=1)
    lowest = entering(box, Priority.BEST_EFFORT)
    await turns()
    urgent = entering(box, Priority.HIGH)
    lowest.cancel()
    await turns()

    assert lowest.cancelled()
    assert box.waiting() == 1
    box.leave()
    await urgent


async def test_one_who_has_given_way_and_is_cancelled_too_takes_no_place_with_it() -> None:
    box, _ = await full(queue=1)
    lowest = entering(box, Priority.BEST_EFFORT)
    await turns()

    async def push_out() -> None:
        asyncio.get_running_loop().call_soon(lowest.cancel)
        await box.enter(Priority.HIGH)

    urgent = asyncio.create_task(push_out())
    await turns()

    assert lowest.cancelled()
    assert (box.busy, box.waiting()) == (1, 1)
    box.leave()
    await urgent


@pytest.mark.parametrize(
    ("seconds", "retry"), [(None, 1.0), (0.1, 1.0), (4.0, 4.0), (11.0, 11.0), (61.0, 60.0), (1000.0, 60.0)]
)
async def test_who_is_turned_away_is_told_when_to_come_again(seconds: float | None, retry: float) -> None:
    box, _ = await full(concurrency=2, queue=1)
    waiting = entering(box)
    await turns()
    if seconds is not None:
        box.ended("small", 1.0, None, seconds)

    with pytest.raises(BackendBusyError) as caught:
        await box.enter()

    assert caught.value.retry_after_seconds == retry
    waiting.cancel()


async def test_while_a_place_is_free_nobody_has_to_wait() -> None:
    box, _ = lane(concurrency=2)
    await box.enter()

    assert [box.place(priority) for priority in Priority] == [(0, 0.0)] * 4


async def test_the_wait_is_unknown_until_something_was_learned() -> None:
    box, _ = await full()

    assert box.place() == (0, None)


async def test_the_wait_is_that_of_those_ahead_and_of_the_next_free_place() -> None:
    box, _ = await full(concurrency=2)
    waiting = [entering(box, Priority.NORMAL), entering(box, Priority.HIGH)]
    await turns()
    box.ended("small", 1.0, None, 10.0)

    assert box.place(Priority.BEST_EFFORT) == (2, 15.0)
    assert box.place() == (2, 15.0)
    assert box.place(Priority.HIGH) == (1, 10.0)
    assert box.place(Priority.CRITICAL) == (0, 5.0)
    for each in waiting:
        each.cancel()


def test_a_free_place_is_taken_without_waiting_and_none_is_when_all_are_taken() -> None:
    box, _ = lane(concurrency=2)

    assert [box.try_enter() for _ in range(3)] == [True, True, False]
    assert box.busy == 2


async def test_it_worked_while_some_place_was_taken() -> None:
    clock = FakeClock()
    box, _ = lane(clock=clock, concurrency=2)
    clock.advance(5)
    assert box.worked(clock()) == 0

    await box.enter()
    clock.advance(2)
    await box.enter()
    clock.advance(3)
    box.leave()
    clock.advance(1)
    assert box.worked(clock()) == 6
    box.leave()
    clock.advance(10)
    assert box.worked(clock()) == 6
    await box.enter()
    clock.advance(0.5)

    assert box.worked(clock()) == 6.5


async def test_it_goes_on_working_when_a_place_is_handed_on() -> None:
    box, clock = await full()
    waiting = entering(box)
    await turns()
    clock.advance(1)

    box.leave()
    await waiting
    clock.advance(1)

    assert box.worked(clock()) == 2


async def test_it_looks_at_the_clock_only_when_it_becomes_busy_or_idle() -> None:
    box, _ = lane(concurrency=3)
    looked = 0

    def clock() -> float:
        nonlocal looked
        looked += 1
        return 0.0

    box = Lane(box.backend, box.settings, clock)
    for _ in range(3):
        await box.enter()
    for _ in range(3):
        box.leave()

    assert looked == 2


async def test_a_slowed_backend_works_less() -> None:
    clock = FakeClock()
    box, script = lane(clock=clock)
    await box.enter()
    clock.advance(4)

    box.pace(0.25)
    clock.advance(4)

    assert box.paceable
    assert (box.duty, script.duties) == (0.25, [0.25])
    assert box.worked(clock()) == 5
    box.pace(1)
    clock.advance(2)
    assert box.worked(clock()) == 7
    assert script.duties == [0.25, 1]


async def test_a_pace_that_is_in_force_is_not_told_again() -> None:
    box, script = lane()

    box.pace(1)
    box.pace(0.5)
    box.pace(0.5)

    assert script.duties == [0.5]


async def test_a_backend_that_can_not_be_slowed_is_left_alone() -> None:
    clock = FakeClock()
    box, script = lane(clock=clock)
    script.paceable = False
    await box.enter()

    box.pace(0.5)
    clock.advance(2)

    assert not box.paceable
    assert (box.duty, script.duties) == (1, [])
    assert box.worked(clock()) == 2


def test_a_kind_that_knows_nothing_of_a_pace_is_left_alone() -> None:
    box, _ = lane()
    unpaced = Lane(Unpaced(box.profile), box.settings, FakeClock())

    unpaced.pace(0.5)

    assert not unpaced.paceable
    assert unpaced.duty == 1


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
    zone = Zone("soc", ThermalState.WARNING, 0.0, TripPoints())

    seen = box.candidate("small", box.models["small"], 1, zone)

    assert (seen.profile.id, seen.model.name, seen.serves, seen.preference) == ("box", "small", True, 1)
    assert (seen.busy, seen.ahead, seen.wait_seconds) == (2, 0, 0.0)
    assert (seen.learned, seen.zone) == (Learned(first_token_seconds=0.5), zone)
    assert (seen.health, seen.retry_seconds, seen.ailment) == (Health.OPEN, 15, "stalled")


def test_a_candidate_without_the_model_says_so() -> None:
    seen = lane()[0].candidate("other", None, 0)

    assert (seen.model.name, seen.serves) == ("other", False)


async def test_a_candidate_shows_what_is_ahead_of_a_job_of_that_priority() -> None:
    box, _ = await full()
    waiting = entering(box)
    await turns()
    box.ended("small", 1.0, 50, 2.0)

    normal = box.candidate("small", None, 0)
    urgent = box.candidate("small", None, 0, priority=Priority.HIGH)

    assert (normal.ahead, normal.wait_seconds, normal.zone) == (1, 4.0, None)
    assert (urgent.ahead, urgent.wait_seconds) == (0, 2.0)
    waiting.cancel()


def test_what_it_learns_is_seen_in_its_candidates() -> None:
    box, _ = lane()
    assert box.candidate("small", None, 0).learned == Learned()

    box.began("small", 1.0)
    box.ended("small", 2.0, 21, 3.0)
    box.cost("small", 42.0, 21, 4.0)

    assert box.candidate("small", None, 0).learned == Learned(1.0, 10.0, 21, 3.0, 2.0, 10.5)
    assert box.candidate("other", None, 0).learned == Learned()


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
    waiting = [entering(box, priority) for priority in (Priority.NORMAL, Priority.NORMAL, Priority.BEST_EFFORT)]
    await turns()
    box.pace(0.5)

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
        "waiting": 3,
        "line": {"critical": 0, "high": 0, "normal": 2, "best-effort": 1},
        "concurrency": 1,
        "queue": 5,
        "duty": 0.5,
        "learned": {
            "small": {
                "first_token_seconds": 0.1235,
                "tokens_per_second": None,
                "tokens": None,
                "seconds": None,
                "joules_per_token": None,
                "watts": None,
            }
        },
    }
    for each in waiting:
        each.cancel()


def test_an_operator_reads_what_ails_it_and_for_how_long() -> None:
    clock = FakeClock()
    box, _ = lane(clock=clock, health={"failures": 1, "cooldown_seconds": 20})
    box.breaker.failed(clock(), "stalled")
    clock.advance(0.04)

    told = box.describe()

    assert (told["health"], told["ailment"], told["retry_seconds"]) == ("open", "stalled", 20.0)
