"""Counters that wrap around or begin anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.thermal.counter import ACCUMULATORS, Counter


@given(
    span=st.integers(1000, 2**40),
    start=st.integers(0, 2**40),
    shares=st.lists(st.floats(0, 0.5), max_size=30),
)
def test_what_is_counted_across_wrap_arounds_is_what_was_spent(span: int, start: int, shares: list[float]) -> None:
    start %= span
    counter = Counter((span,))
    counter.count(start, at=0)
    spent = 0
    for second, share in enumerate(shares, start=1):
        spent += int(share * span)
        counter.count((start + spent) % span, at=second)

    assert counter.total == start + spent


@given(raws=st.lists(st.floats(0, 2**66), min_size=1), spans=st.sampled_from([(), (2.0**32,), ACCUMULATORS]))
def test_a_total_never_falls_whatever_the_counter_says(raws: list[float], spans: tuple[float, ...]) -> None:
    counter = Counter(spans)
    totals = []
    for second, raw in enumerate(raws):
        counter.count(raw, at=second)
        assert counter.total is not None
        assert counter.per_second is None or counter.per_second >= 0
        totals.append(counter.total)

    assert totals == sorted(totals)


def test_nothing_is_known_before_the_first_look() -> None:
    counter = Counter()

    assert counter.total is None
    assert counter.per_second is None


def test_a_rate_needs_two_looks() -> None:
    counter = Counter()
    counter.count(100, at=10)
    assert counter.per_second is None

    counter.count(130, at=20)
    assert counter.per_second == 3


def test_a_counter_that_stands_still_has_a_rate_of_zero() -> None:
    counter = Counter()
    counter.count(100, at=10)
    counter.count(100, at=20)

    assert counter.per_second == 0


def test_two_looks_at_the_same_instant_have_no_rate() -> None:
    counter = Counter()
    counter.count(100, at=10)
    counter.count(130, at=10)

    assert counter.per_second is None
    assert counter.total == 130


def test_what_begins_anew_adds_nothing_for_the_gap_and_has_no_rate() -> None:
    counter = Counter()
    counter.count(100, at=10)
    counter.count(40, at=20)
    assert (counter.total, counter.per_second) == (100, None)

    counter.count(60, at=30)
    assert (counter.total, counter.per_second) == (120, 2)


def test_a_fall_that_would_be_more_than_half_a_span_is_no_wrap_around() -> None:
    counter = Counter((1000,))
    counter.count(600, at=0)
    counter.count(200, at=1)

    assert counter.total == 600


@pytest.mark.parametrize(("last", "span"), [(2**32 - 10, 2**32), (2**64 - 2**20, 2**64)])
def test_the_smallest_span_that_held_the_last_value_is_the_one_that_wrapped(last: int, span: int) -> None:
    counter = Counter(ACCUMULATORS)
    counter.count(last, at=0)
    counter.count(90, at=1)

    assert counter.total == pytest.approx(span + 90)
    assert counter.per_second == pytest.approx(span - last + 90, rel=1e-3)


def test_the_fall_of_a_long_accumulator_is_no_wrap_around_of_a_short_one() -> None:
    counter = Counter(ACCUMULATORS)
    counter.count(2**33, at=0)
    counter.count(5, at=1)

    assert counter.total == 2**33


def test_a_look_that_found_nothing_leaves_the_total_and_the_next_delta_as_they_are() -> None:
    counter = Counter()
    counter.count(100, at=10)
    counter.count(None, at=20)
    assert (counter.total, counter.per_second) == (100, None)

    counter.count(160, at=30)
    assert (counter.total, counter.per_second) == (160, 3)


def test_after_a_cut_another_device_goes_on_where_the_total_was() -> None:
    counter = Counter()
    counter.count(100, at=10)
    counter.cut()
    counter.count(1_000_000, at=20)
    assert (counter.total, counter.per_second) == (100, None)

    counter.count(1_000_050, at=30)
    assert (counter.total, counter.per_second) == (150, 5)
