"""A warm backend that nothing cooler can stand in for works only part of the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.decision import Decision, Precedence, Route, Verdict
from app.domain.thermal import Reading, ThermalState, TripPoints, Zone
from app.relay.pace import duty, pace
from backends.lane import Lane
from tests.app.builders import lane, zone

LEAST = 0.1
TRIPS = TripPoints(warning=70, critical=80, shutdown=95)


def at(celsius: float | None, state: ThermalState | None = None) -> Zone:
    facts: dict[str, Any] = {} if state is None else {"state": state}
    return zone("gpu", celsius, trips=TRIPS, **facts)


def unknown(*, avoid: bool = False) -> Zone:
    return at(None, ThermalState.UNKNOWN) if not avoid else zone("gpu", None, avoid_unknown=True)


@pytest.mark.parametrize(
    ("celsius", "share"),
    [(20, 1.0), (69.9, 1.0), (70, 1.0), (72.5, 0.75), (75, 0.5), (78, 0.2), (79.5, LEAST), (80, LEAST), (120, LEAST)],
)
def test_it_works_less_the_nearer_it_is_to_critical(celsius: float, share: float) -> None:
    assert duty(at(celsius), LEAST) == pytest.approx(share)


def test_a_zone_that_hysteresis_keeps_in_a_state_goes_by_the_state() -> None:
    assert duty(at(68, ThermalState.WARNING), LEAST) == 1.0
    assert duty(at(78, ThermalState.CRITICAL), LEAST) == LEAST
    assert duty(at(66, ThermalState.NOMINAL), LEAST) == 1.0


def test_a_zone_that_throttles_at_an_unknown_temperature_works_least() -> None:
    assert duty(at(None, ThermalState.CRITICAL), LEAST) == LEAST
    assert duty(at(None, ThermalState.WARNING), LEAST) == LEAST


def test_what_nobody_can_measure_is_not_slowed() -> None:
    assert duty(unknown(), LEAST) == 1.0


def test_with_a_share_of_one_there_is_no_pause() -> None:
    assert duty(at(79), 1.0) == duty(at(99), 1.0) == 1.0


@given(st.floats(-40, 150), st.floats(-40, 150), st.floats(0.01, 1))
def test_hotter_never_means_more_work(one: float, other: float, least: float) -> None:
    cool, hot = sorted((one, other))

    assert least <= duty(at(hot), least) <= duty(at(cool), least) <= 1.0


class House:
    """Backends a, b, c in zones of the same names, and the answers that run on them."""

    def __init__(self, **zones: Zone | None) -> None:
        self.zones = {name: made for name, made in zones.items() if made is not None}
        self.lanes: dict[str, Lane] = {name: lane(name, zone=name)[0] for name in zones}
        self.running: list[tuple[Route, Decision]] = []

    def route(self, name: str, *verdicts: Verdict) -> Route:
        box = self.lanes[name]
        return Route(box.candidate("small", box.models["small"], 0), verdicts, 0.0)

    def run(self, name: str, *others: str, rejected: tuple[Route, ...] = ()) -> None:
        """An answer on that backend, which might have gone to the others."""
        route = self.route(name)
        self.running.append((route, Decision((route, *map(self.route, others)), rejected)))

    def duties(self) -> Mapping[str, float]:
        pace(self.running, self.lanes, self.zones, LEAST)
        return {name: each.duty for name, each in self.lanes.items()}


def test_a_warm_backend_is_slowed_where_it_is_the_only_one() -> None:
    house = House(a=at(75))
    house.run("a")

    assert house.duties() == {"a": 0.5}


def test_a_warm_backend_goes_on_where_something_cooler_could_have_had_its_answer() -> None:
    house = House(a=at(75), b=at(50))
    house.run("a", "b")

    assert house.duties() == {"a": 1.0, "b": 1.0}


def test_what_is_as_warm_is_not_cooler() -> None:
    house = House(a=at(75), b=at(71))
    house.run("a", "b")

    assert house.duties()["a"] == 0.5


def test_a_warning_is_cooler_than_a_critical_zone() -> None:
    house = House(a=at(90), b=at(75))
    house.run("a", "b")

    assert house.duties()["a"] == 1.0


def test_one_answer_that_can_go_nowhere_is_enough() -> None:
    house = House(a=at(75), b=at(50))
    house.run("a", "b")
    house.run("a")

    assert house.duties() == {"a": 0.5, "b": 1.0}


def test_a_backend_in_no_zone_counts_as_cooler() -> None:
    house = House(a=at(75), b=None)
    house.run("a", "b")

    assert house.duties()["a"] == 1.0


def test_an_unknown_zone_counts_as_its_policy_says() -> None:
    for avoid, share in ((False, 1.0), (True, 0.5)):
        house = House(a=at(75), b=unknown(avoid=avoid))
        house.run("a", "b")

        assert house.duties()["a"] == share


@pytest.mark.parametrize("precedence", [Precedence.CANNOT, Precedence.MODE, Precedence.REQUEST])
def test_one_that_can_not_do_the_job_or_must_not_is_no_way_out(precedence: Precedence) -> None:
    house = House(a=at(75), b=at(50))
    house.run("a", rejected=(house.route("b", Verdict("any", "no", reject=True, precedence=precedence)),))

    assert house.duties()["a"] == 0.5


def test_one_that_was_only_too_hot_when_another_was_chosen_is_a_way_out_once_it_has_cooled() -> None:
    for precedence in (Precedence.SAFETY, Precedence.DEFAULT):
        house = House(a=at(75), b=at(90))
        house.run("a", rejected=(house.route("b", Verdict("any", "hot", reject=True, precedence=precedence)),))
        assert house.duties()["a"] == 0.5

        house.zones["b"] = at(50)
        assert house.duties()["a"] == 1.0


def test_another_model_of_the_same_backend_is_no_way_out() -> None:
    house = House(a=at(75))
    house.run("a", "a")

    assert house.duties()["a"] == 0.5


def test_a_backend_without_an_answer_is_not_slowed() -> None:
    house = House(a=at(75), b=at(75))
    house.run("a", "b")

    assert house.duties() == {"a": 0.5, "b": 1.0}


def test_it_works_all_of_the_time_again_when_it_has_cooled() -> None:
    house = House(a=at(90))
    house.run("a")
    assert house.duties() == {"a": LEAST}

    house.zones["a"] = at(75)
    assert house.duties() == {"a": 0.5}
    house.zones["a"] = at(60)
    assert house.duties() == {"a": 1.0}


def test_it_works_all_of_the_time_again_when_its_answer_has_ended() -> None:
    house = House(a=at(90))
    house.run("a")
    house.duties()
    house.running.clear()

    assert house.duties() == {"a": 1.0}


def test_an_answer_of_a_backend_that_a_reload_took_away_does_no_harm() -> None:
    house = House(a=at(90), b=at(90))
    house.run("a")
    del house.lanes["a"]

    assert house.duties() == {"b": 1.0}


def test_a_zone_is_what_it_is_now_and_not_what_it_was_when_the_answer_began() -> None:
    house = House(a=at(50), b=at(50))
    house.run("a", "b")
    assert house.duties()["a"] == 1.0
    house.zones.update(a=at(75), b=at(75))

    assert house.duties()["a"] == 0.5


def test_trip_points_that_the_device_moved_count_as_they_stand() -> None:
    moved = Zone("gpu", ThermalState.WARNING, 0.0, TripPoints(warning=60, critical=64), reading=Reading(0.0, 62.0))

    assert duty(moved, LEAST) == 0.5
