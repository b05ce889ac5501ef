"""Counters on the hot path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.handoff import Continuation, Handoff, Reason
from app.telemetry.metrics import Histogram, Metrics


def test_whatever_was_never_counted_is_zero() -> None:
    metrics = Metrics()

    assert metrics.answers["eco", "completed"] == 0
    assert metrics.energy_joules["eco", "measured"] == 0.0


def test_tokens_have_finer_buckets_than_requests() -> None:
    metrics = Metrics()
    for seconds in (0.012, 0.022):
        metrics.token_seconds["eco"].observe(seconds)
        metrics.request_seconds["chat"].observe(seconds)

    assert max(metrics.token_seconds["eco"].buckets) == 1
    assert max(metrics.request_seconds["chat"].buckets) == 2


def test_a_handoff_is_counted_by_why_how_and_what_became_of_it_and_its_stall_by_how() -> None:
    metrics = Metrics()
    for stall in (0.02, 0.04):
        move = Handoff(Reason.HEAT, "too hot", "gpu", "cpu", Continuation.KV, stall_seconds=stall, result="completed")
        metrics.handed_off(move)

    assert metrics.handoffs == {("heat", "kv", "completed"): 2}
    assert metrics.stall_seconds["kv"].total == pytest.approx(0.06)
    assert max(metrics.stall_seconds["kv"].buckets) == 1


def test_a_handoff_that_came_to_nothing_has_no_continuation_and_an_unknown_stall_is_not_zero() -> None:
    metrics = Metrics()
    metrics.handed_off(Handoff(Reason.FAULT, "it broke off", "gpu", result="failed"))

    assert metrics.handoffs == {("fault", "none", "failed"): 1}
    assert metrics.stall_seconds == {}


@pytest.mark.parametrize("stall", [0.001, 60.0])
def test_stalls_are_told_apart_from_a_millisecond_to_a_minute(stall: float) -> None:
    bounds = Metrics().stall_seconds["kv"].bounds

    assert bounds[0] <= stall <= bounds[-1]


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_each_bucket_holds_all_that_is_at_or_under_its_bound(observed: list[float]) -> None:
    histogram = Histogram()
    for seconds in observed:
        histogram.observe(seconds)

    for bound, count in histogram.cumulative():
        assert count == sum(seconds <= float(bound) for seconds in observed)
    assert histogram.total == pytest.approx(sum(observed))
