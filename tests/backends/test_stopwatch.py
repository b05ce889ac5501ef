"""Seconds of work, at the pace at which they were worked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.stopwatch import Stopwatch


def test_it_stands_still_until_it_is_started() -> None:
    watch = Stopwatch()

    assert watch.read(0) == watch.read(100) == 0


def test_it_counts_only_while_it_runs_and_is_exact_at_any_moment() -> None:
    watch = Stopwatch()

    watch.start(10)
    assert watch.read(12.5) == 2.5
    watch.stop(13)
    assert watch.read(100) == 3
    watch.start(100)

    assert watch.read(101) == 4


def test_seconds_count_by_the_pace_of_their_time() -> None:
    watch = Stopwatch()
    watch.start(0)

    watch.pace(0.25, 4)
    assert watch.read(8) == 5
    watch.pace(1, 8)

    assert watch.read(10) == 7


def test_a_pace_that_is_set_while_it_stands_still_counts_from_the_next_start() -> None:
    watch = Stopwatch()
    watch.start(0)
    watch.stop(2)

    watch.pace(0.5, 6)
    assert watch.read(8) == 2
    watch.start(10)

    assert watch.read(14) == 4


def test_a_moment_before_the_start_counts_nothing() -> None:
    watch = Stopwatch()
    watch.start(10)

    assert watch.read(9) == 0


steps = st.lists(st.tuples(st.sampled_from(["start", "stop", "slow", "fast"]), st.integers(0, 10)), max_size=40)


@given(steps)
def test_it_never_falls_and_never_runs_ahead_of_time(steps: list[tuple[str, int]]) -> None:
    watch, now, last, running = Stopwatch(), 0.0, 0.0, False
    for step, seconds in steps:
        now += seconds
        read = watch.read(now)
        assert last <= read <= last + seconds
        if step in ("slow", "fast"):
            watch.pace(0.5 if step == "slow" else 1.0, now)
        elif (step == "start") is not running:
            running = not running
            (watch.start if running else watch.stop)(now)
        last = watch.read(now)
        assert last == pytest.approx(read)
