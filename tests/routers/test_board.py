"""What a watcher is shown, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest

from app.domain.confidence import Attempt, Confidence
from app.domain.errors import RateLimitedError
from app.domain.handoff import Handoff, Reason
from app.gateway import Gateway
from app.telemetry.decisions import Record
from app.telemetry.energy import Energy
from routers.board import MOST_WATCHERS, NEWEST, TICK_SECONDS, Board
from tests.app.builders import job
from tests.fakes.backend import KIND
from tests.fakes.clock import FakeClock
from tests.routers.running import running

pytestmark = pytest.mark.anyio

CLOCK = 1_795_000_000.25


@dataclass
class Serving:
    """A gateway that a test can change."""

    gateway: Gateway

    async def reload(self) -> Gateway:
        return self.gateway


class House:
    """A board, the clock that its ticks go by, and hands to make decisions with."""

    def __init__(self, gateway: Gateway) -> None:
        self.clock = FakeClock()
        self.serving = Serving(replace(gateway, clock=self.clock))
        self.board = Board(self.serving, lambda: CLOCK)
        self._seen = 0

    def decide(self, name: str) -> Record:
        record = Record(job(request_id=name), self.clock())
        self.serving.gateway.decisions.add(record)
        return record

    def done(self, name: str) -> Record:
        record = self.decide(name)
        record.end("completed", self.clock())
        return record

    def tick(self) -> list[dict[str, Any]]:
        """What is told at the next one."""
        self.clock.advance(TICK_SECONDS)
        news, self._seen = self.board.news(self._seen)
        return read(news, "decision")

    def told(self) -> list[str]:
        return [record["request_id"] for record in self.tick()]


def read(block: bytes, name: str) -> list[dict[str, Any]]:
    """The contents of its events, which must all have that name."""
    events = block.removesuffix(b"\n\n").split(b"\n\n") if block else []
    prefix = b"event: %b\ndata: " % name.encode()
    assert all(event.startswith(prefix) for event in events)
    return [orjson.loads(event.removeprefix(prefix)) for event in events]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    zones = [{"id": "gpu", "sensor": {"kind": "simulated", "celsius": 40}}]
    async with running({"id": "box", "kind": KIND, "zone": "gpu"}, zones=zones) as gateway:
        yield House(gateway.gateway)


async def test_the_state_is_what_the_other_doors_say(house: House) -> None:
    (state,) = read(house.board.state(), "state")

    assert state["at"] == CLOCK
    assert state["mode"]["mode"] == "balanced"
    assert [zone["id"] for zone in state["zones"]] == ["gpu"]
    assert [backend["id"] for backend in state["backends"]] == ["box"]


async def test_only_the_first_state_has_the_past(house: House) -> None:
    (first,), (later,) = read(house.board.first_state(), "state"), read(house.board.state(), "state")

    assert first["zones"][0]["history"]
    assert "history" not in later["zones"][0]


async def test_a_state_is_drawn_once_a_tick_however_many_ask(house: House) -> None:
    states = [house.board.state() for _ in range(3)]
    house.clock.advance(TICK_SECONDS)

    assert states[0] is states[1] is states[2]
    assert house.board.state() is not states[0]


async def test_after_a_reload_the_state_is_that_of_the_new_gateway(house: House) -> None:
    house.board.state()
    house.serving.gateway = replace(house.serving.gateway, lanes={})
    house.clock.advance(TICK_SECONDS)

    (state,) = read(house.board.state(), "state")
    assert state["backends"] == []


async def test_a_decision_is_told_once(house: House) -> None:
    house.done("a")

    assert [house.told(), house.told()] == [["a"], []]


async def test_a_decision_has_the_exact_time_beside_what_the_other_door_says(house: House) -> None:
    record = house.done("a")

    assert house.tick() == [{**orjson.loads(orjson.dumps(record.describe())), "at": record.wall_started}]


async def test_whatever_happens_to_a_running_request_is_told(house: House) -> None:
    record = house.decide("a")
    told = [house.tick(), house.tick()]
    record.backend = "box"
    told += [house.tick(), house.tick()]
    record.end("completed", 1.0)
    told += [house.tick(), house.tick()]

    assert [len(each) for each in told] == [1, 0, 1, 0, 1, 0]
    assert [each[0]["outcome"] for each in told[::2]] == ["running", "running", "completed"]
    assert told[2][0]["backend"] == "box"


async def test_a_handoff_is_told_when_it_begins_and_when_it_ends(house: House) -> None:
    record, move = house.decide("a"), Handoff(Reason.HEAT, "too hot", "gpu")
    told = [house.tick()]
    record.handoffs.append(move)
    told += [house.tick(), house.tick()]
    move.target, move.result = "cpu", "completed"
    told += [house.tick(), house.tick()]

    assert [[move["result"] for each in tick for move in each["handoffs"]] for tick in told] == [
        [],
        ["running"],
        [],
        ["completed"],
        [],
    ]
    assert told[3][0]["handoffs"][0]["to"] == "cpu"


async def test_a_handoff_that_ends_after_its_answer_is_told_late(house: House) -> None:
    record, move = house.decide("a"), Handoff(Reason.FAULT, "it broke off", "gpu")
    record.handoffs.append(move)
    record.end("left", 1.0)
    house.tick()
    move.result = "failed"

    assert [each["handoffs"][0]["result"] for each in house.tick()] == ["failed"]


async def test_energy_that_is_known_late_is_told_late(house: House) -> None:
    record = house.done("a")
    before = house.tick()
    record.energy = Energy("measured", 12.5, 0.5)

    assert before[0]["energy"] is None
    assert house.tick()[0]["energy"] == {"joules": 12.5, "error_joules": 0.5, "source": "measured"}


async def test_an_attempt_is_told_when_it_is_judged_and_again_when_it_turns_out_to_be_the_best(house: House) -> None:
    record = house.decide("a")
    attempt = Attempt("box", "small", Confidence(0.31, "prior", {"empty": 0.0}), 9, "doubted")
    told = [house.tick()]
    record.judged.append(attempt)
    told += [house.tick(), house.tick()]
    record.end("left", 1.0)
    told += [house.tick(), house.tick()]
    attempt.result = "best"
    told += [house.tick(), house.tick()]

    assert [[answer["result"] for each in tick for answer in each["answers"]] for tick in told] == [
        [],
        *(["doubted"], []),
        *(["doubted"], []),
        *(["best"], []),
    ]
    assert told[1][0]["answers"][0]["signals"] == {"empty": 0.0}


async def test_a_request_that_takes_the_id_of_an_older_one_is_another_story(house: House) -> None:
    house.done("a")
    house.tick()
    house.done("a")

    assert house.told() == ["a"]


async def test_many_decisions_are_told_over_several_ticks_and_none_is_left_out(house: House) -> None:
    names = [str(number) for number in range(120)]
    for name in names:
        house.done(name)
    told = [house.told() for _ in range(4)]

    assert [len(each) for each in told] == [50, 50, 20, 0]
    assert [name for each in told for name in each] == names


async def test_who_comes_late_is_told_of_the_newest_only(house: House) -> None:
    for number in range(NEWEST + 30):
        house.done(str(number))
    told = [name for _ in range(NEWEST) for name in house.told()]

    assert told == [str(number) for number in range(30, NEWEST + 30)]


async def test_each_watcher_is_told_everything(house: House) -> None:
    house.done("a")
    house.tick()
    late, _ = house.board.news(0)

    assert [record["request_id"] for record in read(late, "decision")] == ["a"]


async def test_there_are_only_so_many_places(house: House) -> None:
    places = [house.board.place() for _ in range(MOST_WATCHERS)]
    for place in places:
        place.__enter__()
    with pytest.raises(RateLimitedError, match="watching already"), house.board.place():
        pass
    places[0].__exit__(None, None, None)

    with house.board.place():
        assert house.board.watchers == MOST_WATCHERS
