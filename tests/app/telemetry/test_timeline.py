"""How long jobs ran, each moment divided among those that did."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.telemetry.timeline import Timeline

Changes = list[tuple[float, int]]


@st.composite
def changes(draw: st.DrawFn) -> Changes:
    """Jobs that begin and end, in the order of time: each (seconds, +1 or -1), never fewer than none at work."""
    times = sorted(draw(st.lists(st.floats(0, 1000), max_size=30)))
    running, made = 0, []
    for when in times:
        by = -1 if running and draw(st.booleans()) else 1
        running += by
        made.append((when, by))
    return made


def integral(made: Changes, when: float) -> tuple[float, float]:
    """Portion and busy seconds, step by step as their definition has it."""
    portion = busy = 0.0
    running, since = 0, 0.0
    for time, by in [*made, (when, 0)]:
        seconds = min(time, when) - min(since, when)
        if running:
            portion += seconds / running
            busy += seconds
        running, since = running + by, time
    return portion, busy


def timeline(made: Changes) -> Timeline:
    line = Timeline()
    for when, by in made:
        line.change(when, by)
    return line


def test_one_job_alone_has_all_of_the_time() -> None:
    line = Timeline()
    begun = line.change(10.0, 1)

    assert line.change(14.0, -1) - begun == 4.0


def test_two_jobs_share_the_time_in_which_both_run() -> None:
    line = Timeline()
    first = line.change(0.0, 1)
    second = line.change(2.0, 1)

    assert line.change(6.0, -1) - first == 2 + 4 / 2
    assert line.change(7.0, -1) - second == 4 / 2 + 1
    assert line.at(100.0) == (5.0, 7.0)


def test_nobody_at_work_is_no_busy_time() -> None:
    line = timeline([(0.0, 1), (1.0, -1)])

    assert line.at(50.0) == (1.0, 1.0)
    line.change(100.0, 1)
    assert line.at(101.0) == (2.0, 2.0)


def test_a_time_before_everything_is_the_beginning() -> None:
    assert Timeline().at(5.0) == (0.0, 0.0)
    assert timeline([(10.0, 1)]).at(5.0) == (0.0, 0.0)


def test_a_clock_that_steps_back_takes_nothing_away() -> None:
    line = Timeline()
    line.change(0.0, 1)
    until = line.change(10.0, 1)

    assert line.change(5.0, -1) == until
    assert line.at(10.0) == (10.0, 10.0)
    assert line.at(11.0) == (11.0, 11.0)


@given(changes(), st.floats(0, 1100))
def test_any_moment_is_told_as_its_definition_has_it(made: Changes, when: float) -> None:
    assert timeline(made).at(when) == pytest.approx(integral(made, when), abs=1e-6)


@given(changes(), st.lists(st.floats(0, 1100), min_size=2).map(sorted))
def test_it_never_falls(made: Changes, moments: list[float]) -> None:
    line = timeline(made)
    told = [line.at(moment) for moment in moments]

    for before, after in pairwise(told):
        assert after[0] >= before[0] - 1e-9
        assert after[1] >= before[1] - 1e-9


@given(changes(), st.floats(0, 1100), st.floats(0, 1100))
def test_what_was_forgotten_changes_nothing_that_came_later(made: Changes, before: float, when: float) -> None:
    line = timeline(made)
    expected = line.at(max(before, when))
    line.forget(before)

    assert line.at(max(before, when)) == pytest.approx(expected, abs=1e-6)


@given(changes(), changes())
def test_a_past_that_does_not_matter_is_not_kept(made: Changes, later: Changes) -> None:
    """Without points of the past the integral goes on as if they were there."""
    line, kept = timeline(made), timeline(made)
    for when, by in later:
        assert line.change(1000 + when, by, keep=False) == pytest.approx(kept.change(1000 + when, by), abs=1e-6)


def test_it_does_not_grow_while_its_past_does_not_matter_or_is_forgotten() -> None:
    line, forgetful = Timeline(), Timeline()
    for second in range(10_000):
        by = 1 if second % 2 == 0 else -1
        line.change(float(second), by, keep=False)
        forgetful.change(float(second), by)
        forgetful.forget(float(second))

    assert size(line) == size(forgetful) == 1


def size(line: Timeline) -> int:
    return len(line._times)
