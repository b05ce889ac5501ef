"""What is kept of a temperature's past."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.thermal.curve import Curve


def curve(*samples: tuple[float, float]) -> Curve:
    made = Curve()
    for at, celsius in samples:
        made.add(at, celsius)
    return made


def four_a_second(seconds: int) -> Curve:
    return curve(*((step / 4, 40 + step % 3) for step in range(seconds * 4 + 1)))


def test_nothing_was_measured_yet() -> None:
    assert Curve().samples(60) == []
    assert Curve().points() == []


def test_samples_of_a_window_are_all_there_up_to_the_newest() -> None:
    samples = four_a_second(200).samples(90)

    assert len(samples) == 361
    assert samples[0] == (110.0, 40 + 440 % 3)
    assert samples[-1] == (200.0, 40 + 800 % 3)


def test_a_window_longer_than_the_past_is_all_of_it() -> None:
    assert curve((1, 40), (2, 41)).samples(60) == [(1, 40), (2, 41)]


def test_a_sample_at_the_very_start_of_the_window_belongs_to_it() -> None:
    assert curve((0, -5), (10, 40), (70, 41)).samples(60) == [(10, 40), (70, 41)]


def test_points_are_a_second_apart() -> None:
    points = four_a_second(60).points()

    assert [at for at, _ in points] == [float(second) for second in range(61)]


def test_slow_samples_are_all_drawn() -> None:
    assert curve((0, 40), (5, 41), (10, 42)).points() == [(0, 40), (5, 41), (10, 42)]


def test_points_since_an_instant_are_those_after_it() -> None:
    assert curve((0, 40), (5, 41), (10, 42)).points(since=5) == [(10, 42)]


def test_five_minutes_are_drawn_and_no_more() -> None:
    points = four_a_second(1000).points()

    assert len(points) == 300
    assert points[-1][0] - points[0][0] == 299
    assert points[-1][0] == 1000


def test_memory_is_bounded_however_fast_it_is_fed() -> None:
    made = curve(*((step / 1000, 40.0) for step in range(20_000)))

    assert len(made.samples(3600)) == 640
    assert len(made.points()) == 20


@pytest.mark.parametrize("at", [5.0, 4.9, -1.0])
def test_a_sample_that_is_not_newer_is_left_out(at: float) -> None:
    assert curve((0, 40), (5, 41), (at, 99)).samples(60) == [(0, 40), (5, 41)]


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(-40, 150))), st.floats(0, 500))
def test_time_only_rises(fed: list[tuple[float, float]], window: float) -> None:
    made = curve(*fed)

    for kept in (made.samples(window), made.points()):
        times = [at for at, _ in kept]
        assert times == sorted(set(times))
        assert set(kept) <= set(fed)


def test_what_was_given_out_is_a_copy() -> None:
    made = curve((0, 40))
    made.samples(60).clear()
    made.points().clear()

    assert made.samples(60) == made.points() == [(0, 40)]
