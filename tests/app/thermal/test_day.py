"""A whole day does not make a zone flap, nor leave it in a cooler state than it is."""

from __future__ import annotations

import math
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from app.domain.thermal import Reading, ThermalState, TripPoints
from app.thermal.sensors.replay import read_curve
from app.thermal.zone import next_state
from tests.app.thermal.day import MACHINES, Row, rows, write

DWELL = 10.0
TRIPS = TripPoints()
SAFETY = (ThermalState.CRITICAL, ThermalState.SHUTDOWN)
ORDER = (ThermalState.NOMINAL, ThermalState.WARNING, *SAFETY)


class Moment(NamedTuple):
    seconds: float
    state: ThermalState
    row: Row


@pytest.fixture(scope="module", params=list(MACHINES))
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def day(machine: str) -> list[Row]:
    return list(rows(MACHINES[machine]))


@pytest.fixture(scope="module")
def moments(day: list[Row]) -> list[Moment]:
    """The state of the zone after each reading."""
    lived: list[Moment] = []
    state, since, cooled_at = ThermalState.UNKNOWN, 0.0, -math.inf
    for row in day:
        now = number(row, "seconds")
        celsius = row["celsius"]
        reading = Reading(now, None if celsius is None else float(celsius), throttling=bool(row["throttling"]))
        then = next_state(state, since, reading, TRIPS, now, DWELL, cooled_at)
        if then is not state:
            if then is ThermalState.NOMINAL and state is not ThermalState.UNKNOWN:
                cooled_at = now
            state, since = then, now
        lived.append(Moment(now, state, row))
    return lived


def number(row: Row, name: str) -> float:
    value = row[name]
    assert value is not None
    return float(value)


def changes(moments: list[Moment]) -> list[Moment]:
    return [after for before, after in pairwise(moments) if after.state is not before.state]


def test_a_zone_changes_its_state_at_most_once_in_ten_seconds(moments: list[Moment]) -> None:
    """On 40 days of other seeds, with 5,542 changes, safety asked for more 2 times, and a sudden silence 7 times."""
    changed = changes(moments)

    assert [(a, b) for a, b in pairwise(changed) if b.seconds - a.seconds < 10] == []
    assert 20 < len(changed) < 500


def test_every_state_but_shutdown_is_seen_and_left_again(moments: list[Moment]) -> None:
    entered = [moment.state for moment in changes(moments)]

    for state in (ThermalState.NOMINAL, ThermalState.WARNING, ThermalState.CRITICAL, ThermalState.UNKNOWN):
        assert entered.count(state) >= 2


def test_what_is_critical_is_never_in_a_cooler_state(moments: list[Moment]) -> None:
    hot = [moment for moment in moments if moment.row["throttling"] or (moment.row["celsius"] or 0.0) >= TRIPS.critical]

    assert len(hot) > 100
    assert [moment for moment in hot if moment.state not in SAFETY] == []


def test_a_warm_zone_is_nominal_for_no_longer_than_the_dwell_time(moments: list[Moment]) -> None:
    since = -math.inf
    for moment in moments:
        celsius = moment.row["celsius"]
        if celsius is None or celsius < TRIPS.warning or moment.state is not ThermalState.NOMINAL:
            since = moment.seconds
        assert moment.seconds - since <= DWELL


def test_a_silent_sensor_is_unknown_and_nothing_else_is(moments: list[Moment]) -> None:
    assert all((moment.state is ThermalState.UNKNOWN) == (moment.row["celsius"] is None) for moment in moments)


def test_a_calm_zone_would_be_cool_at_the_end_of_its_states(moments: list[Moment]) -> None:
    """What goes down has cooled by the hysteresis."""
    points = dict(zip(ORDER[1:], (TRIPS.warning, TRIPS.critical, TRIPS.shutdown), strict=True))
    for before, after in pairwise(moments):
        if before.state in points and after.state in ORDER and ORDER.index(after.state) < ORDER.index(before.state):
            assert number(after.row, "celsius") < points[before.state] - TRIPS.hysteresis


# the day itself


def test_a_day_is_a_day_long_and_read_every_quarter_to_five_seconds(day: list[Row]) -> None:
    gaps = [number(later, "seconds") - number(earlier, "seconds") for earlier, later in pairwise(day)]

    assert day[0]["seconds"] == 0
    assert 24 * 3600 - 6 < number(day[-1], "seconds") < 24 * 3600
    assert 0.2 < min(gaps) < 0.25
    assert 5 < max(gaps) < 5.5


def test_a_day_has_all_that_makes_it_hard(day: list[Row]) -> None:
    known = [(number(row, "seconds"), number(row, "celsius")) for row in day if row["celsius"] is not None]

    assert len(known) < len(day)
    assert any(row["throttling"] for row in day)
    assert all(celsius == round(celsius) for _, celsius in known)
    assert any(
        later - earlier <= 2 and hot - warm >= 5
        for step in (4, 8)
        for (earlier, warm), (later, hot) in zip(known, known[step:], strict=False)
    )
    assert min(celsius for _, celsius in known) < 35
    assert max(celsius for _, celsius in known) > TRIPS.critical


def test_a_day_is_the_same_every_time_and_another_with_another_seed(machine: str) -> None:
    first, again, other = (list(islice(rows(MACHINES[machine], seed), 2000)) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_a_day_can_be_replayed(day: list[Row], tmp_path: Path) -> None:
    silent = next(place for place, row in enumerate(day) if row["celsius"] is None)
    part = day[silent - 500 : silent + 20]
    write(tmp_path / "day.csv", part)

    curve = read_curve(tmp_path / "day.csv")

    start = number(part[0], "seconds")
    assert list(curve.seconds) == pytest.approx([number(row, "seconds") - start for row in part])
    assert [
        {name: getattr(reading, name) for name in ("celsius", "throttling", "fan_percent", "watts")}
        for reading in curve.rows
    ] == [{name: value for name, value in row.items() if name != "seconds"} for row in part]
