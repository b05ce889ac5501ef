"""What is kept of an answer's tokens, beside what numpy makes of all of them."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.trace import FIRST, GROUP, KEPT, LOW, Trace

LOGPROBS = st.floats(-99, 0)


@st.composite
def spreads(draw: st.DrawFn) -> list[float]:
    """The most likely tokens of a place: shares that add up to one at most, the most likely first."""
    weights = draw(st.lists(st.floats(0.001, 1), min_size=2, max_size=8))
    told = draw(st.floats(0.05, 1))
    return sorted((math.log(told * weight / sum(weights)) for weight in weights), reverse=True)


def traced(logprobs: list[float], tops: list[list[float]] | None = None) -> Trace:
    trace = Trace()
    for place, logprob in enumerate(logprobs):
        trace.add(logprob, tops[place] if tops is not None else ())
    return trace


@given(st.lists(LOGPROBS, min_size=1, max_size=120))
def test_sums_and_extremes_are_those_of_all_tokens(logprobs: list[float]) -> None:
    trace, all_of_them = traced(logprobs), np.array(logprobs)

    assert trace.count == len(logprobs)
    assert trace.total == pytest.approx(all_of_them.sum())
    assert trace.least == all_of_them.min()
    assert trace.low == sorted(logprobs)[:LOW]
    assert list(trace.logprobs) == logprobs
    assert trace.untold == 0


@given(st.lists(LOGPROBS, min_size=GROUP, max_size=120))
def test_the_worst_group_is_that_of_a_sliding_window(logprobs: list[float]) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(np.array(logprobs), GROUP)

    assert traced(logprobs).group_min == pytest.approx(windows.mean(axis=1).min(), abs=1e-9)


@given(st.lists(LOGPROBS, max_size=GROUP - 1))
def test_fewer_tokens_than_a_group_has_make_no_group(logprobs: list[float]) -> None:
    assert traced(logprobs).group_min == math.inf


@given(st.lists(st.tuples(LOGPROBS, spreads()), min_size=1, max_size=40))
def test_entropies_and_margins_are_those_of_the_tokens_told_and_of_the_rest_as_one(
    told: list[tuple[float, list[float]]],
) -> None:
    tops = [top for _, top in told]
    trace = traced([logprob for logprob, _ in told], tops)
    entropies = []
    for top in tops:
        shares = np.exp(np.array(top))
        rest = 1 - shares.sum()
        entropies.append(-(shares * np.log(shares)).sum() - (rest * np.log(rest) if rest > 1e-9 else 0.0))
    margins = np.array([top[0] - top[1] for top in tops])

    assert trace.entropy_count == len(told)
    assert trace.entropy_sum == pytest.approx(np.sum(entropies), abs=1e-6)
    assert trace.entropy_max == pytest.approx(max(entropies), abs=1e-6)
    assert trace.entropy_first == pytest.approx(np.sum(entropies[:FIRST]), abs=1e-6)
    assert list(trace.entropies) == pytest.approx(entropies, abs=1e-6)
    assert trace.margin_sum == pytest.approx(margins.sum(), abs=1e-9)
    assert trace.margin_min == pytest.approx(margins.min(), abs=1e-9)


def test_one_alternative_tells_neither_entropy_nor_margin() -> None:
    trace = traced([-0.1, -0.2], [[-0.1], []])

    assert (trace.count, trace.entropy_count) == (2, 0)


@pytest.mark.parametrize("impossible", [-math.inf, -9999.0, -sys.float_info.max])
def test_what_is_next_to_impossible_has_a_bound(impossible: float) -> None:
    trace = traced([-0.5, impossible], [[-0.5, impossible], [-0.1, impossible]])

    assert trace.least == -100.0
    assert trace.total == -100.5
    assert math.isfinite(trace.entropy_sum)
    assert trace.margin_min == pytest.approx(99.5)


@pytest.mark.parametrize("rounded", [1e-9, 9e-4])
def test_a_little_more_than_nothing_is_rounding(rounded: float) -> None:
    trace = traced([rounded])

    assert (trace.total, trace.least) == (0.0, 0.0)


@pytest.mark.parametrize("wrong", [0.5, 2.0, math.inf, math.nan])
def test_what_is_no_log_probability_is_refused_and_leaves_nothing(wrong: float) -> None:
    trace = traced([-1.0])

    with pytest.raises(ValueError, match="no log-probability"):
        trace.add(wrong)

    assert (trace.count, trace.total, list(trace.logprobs)) == (1, -1.0, [-1.0])


@pytest.mark.parametrize("wrong", ["-0.1", None, [], {}])
def test_what_is_no_number_is_refused_and_leaves_nothing(wrong: object) -> None:
    trace = traced([-1.0])

    with pytest.raises(TypeError):
        trace.add(wrong)  # type: ignore[arg-type]

    assert (trace.count, trace.total) == (1, -1.0)


@pytest.mark.parametrize("top", [[-2.0, -1.0], [0.5, -1.0], [math.nan, -1.0], [-1.0, math.nan]])
def test_alternatives_that_make_no_sense_are_refused_and_tell_no_entropy(top: list[float]) -> None:
    trace = Trace()

    with pytest.raises(ValueError, match="no log-probabilities in falling order"):
        trace.add(-1.0, top)

    assert (trace.count, trace.entropy_count, trace.entropy_sum, trace.margin_sum) == (1, 0, 0.0, 0.0)


def test_what_was_not_told_is_counted() -> None:
    trace = traced([-1.0])
    trace.miss()
    trace.miss()

    assert (trace.count, trace.untold) == (1, 2)


def test_a_long_answer_takes_no_more_room_and_sums_go_on() -> None:
    trace = Trace()
    for place in range(3 * KEPT):
        trace.add(-1.0 if place < 2 * KEPT else -2.0, (-0.5, -1.5))

    assert len(trace.logprobs) == len(trace.entropies) == len(trace.margins) == KEPT
    assert trace.total == -4.0 * KEPT
    assert trace.group_min == pytest.approx(-2.0)
    assert trace.entropy_count == 3 * KEPT
