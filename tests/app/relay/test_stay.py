"""A job's stay at a backend: its time, and its part of the energy."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from app.domain.decision import Route
from app.domain.thermal import Reading
from app.relay.stay import Stay
from app.telemetry.decisions import Record
from app.telemetry.energy import ESTIMATED, MEASURED, UNKNOWN, Energy, Meter
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from backends.lane import Lane
from tests.app.builders import job, lane
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio


class House:
    """One backend, one job of Ada's, and everything that keeps books of it."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock(0.0)
        self.lane: Lane = lane("eco", self.clock, **settings)[0]
        self.record = Record(job(key_name="ada"), 0.0)
        self.meter = Meter()
        self.metrics = Metrics()
        self.ledger = Ledger()

    async def stay(self, where: Lane | None = None) -> Stay:
        box = where or self.lane
        await box.enter()
        route = Route(box.candidate("small", box.models["small"], 0), (), 0.0)
        return Stay(route, box, self.record, self.meter, self.metrics, self.ledger, self.clock())

    async def answered(self, tokens: int = 20, where: Lane | None = None) -> Stay:
        """An answer whose first came after 1 s and whose last after 5 s."""
        stay = await self.stay(where)
        self.clock.advance(1)
        stay.begin(self.clock())
        self.record.backend = stay.lane.profile.id
        self.record.usage = {"completion_tokens": tokens}
        self.clock.advance(4)
        stay.complete(self.clock(), tokens)
        stay.end(self.clock())
        return stay


async def test_a_stay_that_has_ended_leaves_no_circle_for_the_garbage_collector() -> None:
    house = House(watts=5.0)
    gc.collect()
    gc.disable()
    try:
        await house.answered()
        left = [each for each in gc.get_objects() if isinstance(each, Stay) and each._record is house.record]
    finally:
        gc.enable()

    assert left == []


async def test_the_place_is_taken_until_it_is_given_back() -> None:
    house = House()
    stay = await house.stay()
    assert house.lane.busy == 1

    stay.end(house.clock())

    assert house.lane.busy == 0


async def test_the_time_of_an_answer_is_learned_and_counted() -> None:
    house = House()

    await house.answered(tokens=21)

    learned = house.lane.learned["small"]
    assert (learned.first_token_seconds, learned.seconds, learned.tokens_per_second) == (1.0, 5.0, 20 / 4)
    assert house.metrics.token_seconds["eco"].total == pytest.approx(4 / 20)


async def test_an_answer_of_no_known_length_teaches_no_speed() -> None:
    house = House()
    stay = await house.stay()
    stay.begin(1.0)
    stay.complete(5.0, None)
    stay.end(5.0)

    assert house.lane.learned["small"].tokens_per_second is None
    assert "eco" not in house.metrics.token_seconds


async def test_an_answer_that_others_began_teaches_nothing_of_itself() -> None:
    house = House(watts=10)
    stay = await house.stay()
    stay.own = False
    stay.begin(1.0)
    stay.complete(5.0, 20)
    stay.end(5.0)

    learned = house.lane.learned["small"]
    assert (learned.tokens_per_second, learned.joules_per_token) == (None, None)
    assert house.record.energy is not None


async def test_its_energy_goes_to_the_record_the_metrics_the_lessons_and_the_key() -> None:
    house = House(watts=10)

    await house.answered(tokens=20)

    assert house.record.energy == Energy(ESTIMATED, 50.0, 25.0, 5.0)
    assert house.metrics.energy_joules == {("eco", ESTIMATED): 50.0}
    assert house.lane.learned["small"].joules_per_token == 2.5
    assert house.lane.learned["small"].watts == 10.0
    assert house.ledger.watt_hours("ada") == pytest.approx(50 / 3600)
    assert house.metrics.unmetered_answers == {}


async def test_a_backend_that_pauses_for_heat_draws_its_nameplate_watts_only_while_it_works() -> None:
    house = House(watts=10)
    stay = await house.stay()
    stay.begin(house.clock())
    house.clock.advance(1)
    house.lane.pace(0.25)
    house.clock.advance(4)
    house.record.usage = {"completion_tokens": 4}
    stay.complete(house.clock(), 4)
    stay.end(house.clock())

    assert house.record.energy == Energy(ESTIMATED, 20.0, 10.0, 2.0)
    assert house.lane.learned["small"].watts == 10.0


async def test_a_measured_answer_is_booked_when_the_next_reading_has_come() -> None:
    house = House()
    house.meter.read(Reading(0.0, joules=0.0))
    await house.answered()
    assert house.record.energy is None

    house.meter.read(Reading(5.0, joules=100.0))

    assert house.record.energy is not None
    assert (house.record.energy.source, house.record.energy.joules) == (MEASURED, 100.0)
    assert house.metrics.energy_joules == {("eco", MEASURED): 100.0}


async def test_a_refused_attempt_of_the_same_backend_teaches_nothing_of_its_model() -> None:
    house = House()
    house.meter.read(Reading(0.0, joules=0.0))
    refused = await house.stay()
    refused.model = "large"
    house.clock.advance(1)
    refused.end(house.clock())
    await house.answered()
    house.meter.read(Reading(6.0, joules=60.0))

    assert list(house.lane.learned) == ["small"]


async def test_energy_that_nobody_knows_is_counted_as_such_and_never_as_zero() -> None:
    house = House()

    await house.answered()

    assert house.record.energy == Energy(UNKNOWN, None, None, 5.0)
    assert house.metrics.unmetered_answers == {"eco": 1}
    assert house.metrics.energy_joules == {}
    assert house.lane.learned["small"].joules_per_token is None
    assert house.ledger.watt_hours("ada") == 0


async def test_a_refusal_is_no_answer_whose_energy_is_unknown() -> None:
    house = House()
    stay = await house.stay()
    stay.end(house.clock())

    assert house.metrics.unmetered_answers == {}


async def test_what_two_backends_spent_on_one_answer_is_added_up_and_each_learns_its_own() -> None:
    house = House(watts=10)
    other = lane("max", house.clock, watts=100)[0]
    refused = await house.stay(other)
    house.clock.advance(1)
    refused.end(house.clock())

    await house.answered()

    assert house.record.energy == Energy(ESTIMATED, 150.0, 75.0, 6.0)
    assert house.metrics.energy_joules == {("max", ESTIMATED): 100.0, ("eco", ESTIMATED): 50.0}
    assert "small" not in other.learned
    assert house.ledger.watt_hours("ada") == pytest.approx(150 / 3600)


async def test_without_a_key_nobody_pays() -> None:
    house = House(watts=10)
    house.record = Record(job(), 0.0)

    await house.answered()

    assert house.record.energy is not None
    assert house.ledger._joules == {}
