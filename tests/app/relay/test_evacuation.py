"""Which running answers leave a hot place, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from app.domain.decision import Decision, Route
from app.domain.errors import BackendBusyError, StreamBrokenError
from app.domain.handoff import Continuation
from app.domain.job import Job
from app.domain.thermal import Forecast, Zone
from app.relay.answer import Answer
from app.relay.course import Course
from app.relay.destinations import Limits, Surroundings
from app.relay.evacuation import Urgency, evacuate, urgency
from app.relay.handoff import Mover
from app.relay.landing import Landing
from app.relay.stay import Stay
from app.relay.watch import Watchman
from app.telemetry.decisions import Record
from app.telemetry.energy import Meter
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from tests.app.builders import decision, delta, job, lane, zone
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("celsius", "expected"),
    [(50, Urgency.NONE), (72, Urgency.SOON), (86, Urgency.NOW), (96, Urgency.STOP), (None, Urgency.NONE)],
)
def test_the_state_of_its_zone_says_how_soon_an_answer_should_leave(celsius: float | None, expected: Urgency) -> None:
    assert urgency(zone(celsius=celsius), lambda: None) is expected


@pytest.mark.parametrize(
    ("seconds_left", "expected"), [(5.0, Urgency.NONE), (30.0, Urgency.SOON), (None, Urgency.NONE)]
)
def test_an_answer_leaves_when_it_will_not_be_done_before_its_zone_is_critical(
    seconds_left: float | None, expected: Urgency
) -> None:
    rising = Forecast(at=0.0, celsius=65.0, per_second=2.0)  # critical, at 85, in ten seconds

    assert urgency(zone(celsius=65, forecast=rising), lambda: seconds_left) is expected


def test_a_backend_without_a_zone_is_never_left_for_heat() -> None:
    assert urgency(None, lambda: 1000.0) is Urgency.NONE


class Scene:
    """Answers on a hot backend, and two cooler ones with two places each."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.lanes = {
            name: lane(name, self.clock, zone=name, concurrency=places)[0]
            for name, places in (("hot", 8), ("cool", 2), ("cold", 2))
        }
        self.zones: dict[str, Zone] = {"hot": zone("hot", 86), "cool": zone("cool", 40), "cold": zone("cold", 40)}
        self.metrics = Metrics()
        self.watchman = Watchman(15.0, self.clock)
        self.mover = Mover(self.watchman, self.metrics, Landing(self.clock, self.metrics, {}, Ledger()))
        self.mover.around = Surroundings(self.lanes, self.decide, lambda: self.zones, Limits())

    def decide(self, _: Job) -> Decision:
        """As the thermal rule does: never where it is critical; the emptier one first."""
        routes = [route for route in decision(*self.lanes.values()).routes if route.backend != "hot"]
        return Decision(tuple(sorted(routes, key=lambda route: route.candidate.busy)))

    def add(self, max_tokens: int, *, rooted: bool = False) -> Course:
        asked = job(max_tokens=max_tokens, body={"messages": [{"role": "user", "content": "Hi"}]})
        record, source = Record(asked, self.clock()), self.lanes["hot"]
        assert source.try_enter()
        route = Route(source.candidate("small", source.models["small"], 0), (), 0.0)
        answer = Answer(route, _nothing(), self.watchman.watch(), include_usage=False)
        stay = Stay(route, source, record, Meter(), self.metrics, Ledger(), self.clock())
        course = Course(asked, Decision((route,)), record, source, stay, asked, rooted=rooted)
        self.mover.courses[answer] = course
        return course

    def look(self, *, pacing: bool = False) -> None:
        evacuate(self.mover, self.zones, self.clock(), pacing=pacing)


async def _nothing() -> AsyncGenerator[bytes, None]:
    yield delta("never")


async def test_those_with_most_left_to_write_get_the_places_that_there_are_and_nobody_stampedes() -> None:
    scene = Scene()
    courses = {tokens: scene.add(tokens) for tokens in (10, 500, 50, 400, 300, 200)}
    scene.look()

    placed = {tokens for tokens, course in courses.items() if course.move is not None and course.move.placed}
    assert placed == {500, 400, 300, 200}
    assert (scene.lanes["cool"].busy, scene.lanes["cold"].busy) == (2, 2)
    waiting = [course.move for tokens, course in courses.items() if tokens not in placed]
    assert all(move is not None and not move.placed and not move.in_vain for move in waiting)

    for answer in list(scene.mover.courses):
        scene.mover.forget(answer)
    assert (scene.lanes["cool"].busy, scene.lanes["cold"].busy) == (0, 0)


async def test_a_place_that_has_become_hot_is_given_back() -> None:
    scene = Scene()
    course = scene.add(100)
    scene.look()
    move = course.move
    assert move is not None
    assert move.lane is not None
    first = move.lane
    first.hot = True
    scene.zones[first.profile.id] = zone(first.profile.id, 86)
    scene.look()

    assert first.busy == 0
    assert course.move is not None
    assert course.move.lane is not None
    assert course.move.lane.profile.id not in ("hot", first.profile.id)


async def test_where_it_has_cooled_meanwhile_it_stays() -> None:
    scene = Scene()
    course = scene.add(100)
    scene.look()
    scene.zones["hot"] = zone("hot", 40)
    scene.look()

    assert course.move is None
    assert scene.lanes["cool"].busy + scene.lanes["cold"].busy == 0


async def test_an_answer_that_can_not_move_goes_on_until_the_shutdown_point() -> None:
    scene = Scene()
    course = scene.add(100, rooted=True)
    scene.look()
    assert course.move is None

    scene.zones["hot"] = zone("hot", 96)
    scene.look()
    assert course.move is not None
    assert course.move.stop


async def test_amid_its_thoughts_an_answer_is_let_alone_until_the_next_look_at_all() -> None:
    scene = Scene()
    scene.add(100)
    answer = next(iter(scene.mover.courses))
    answer.transcript.events += delta(None, reasoning_content="Hm.")
    scene.look()
    assert answer.attend

    assert await scene.mover.attend(answer) is None
    assert not answer.attend

    scene.look()
    assert answer.attend


async def test_an_answer_that_is_out_of_time_is_not_moved() -> None:
    scene = Scene()
    course = scene.add(100)
    answer, lost = next(iter(scene.mover.courses)), StreamBrokenError("hot", "broke off")
    answer.watch.begin("hot", scene.lanes["hot"].settings.timeouts)
    scene.clock.advance(scene.lanes["hot"].settings.timeouts.total + 1)

    with pytest.raises(StreamBrokenError) as raised:
        await scene.mover.recover(answer, lost)
    assert raised.value is lost
    assert course.record.handoffs == []


async def test_whoever_waits_for_the_first_words_at_the_shutdown_point_is_sent_on() -> None:
    scene = Scene()
    watch = scene.watchman.watch()
    watch.begin("hot", scene.lanes["hot"].settings.timeouts)
    scene.zones["hot"] = zone("hot", 96)

    async def words() -> None:
        scene.clock.advance(2)
        scene.look()
        await asyncio.Event().wait()

    with pytest.raises(BackendBusyError, match="too hot"):
        await watch.guard(words())


async def test_a_zone_that_was_left_is_not_returned_to_until_its_cooldown_is_over() -> None:
    scene = Scene()
    course = scene.add(100)
    course.left.update(cool=scene.clock(), cold=scene.clock())
    scene.look()
    assert course.move is not None
    assert course.move.stop  # nowhere to go, and it can't be slowed

    scene.clock.advance(121)
    scene.look()
    assert course.move is not None
    assert course.move.placed


@pytest.mark.parametrize(("warm_since", "moves"), [(999.0, False), (1001.0, True)])
async def test_a_zone_that_gets_warm_is_left_and_one_that_was_chosen_warm_is_not(
    warm_since: float, moves: bool
) -> None:
    """`decide` may prefer a warm backend to a cool one: then there is no reason to leave it either."""
    scene = Scene()
    scene.mover.around = replace(scene.mover.around, decide=lambda _: decision(*scene.lanes.values()))
    for each in scene.lanes.values():
        each.backend.continuations = frozenset({Continuation.PREFILL})  # type: ignore[attr-defined]
    course = scene.add(100)
    scene.zones["hot"] = replace(zone("hot", 72), since=warm_since)
    scene.look()

    assert (course.move is not None) is moves
