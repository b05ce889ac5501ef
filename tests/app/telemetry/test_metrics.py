"""Counters on the hot path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_each_bucket_holds_all_that_is_at_or_under_its_bound(observed: list[float]) -> None:
    histogram = Histogram()
    for seconds in observed:
        histogram.observe(seconds)

    for bound, count in histogram.cumulative():
        assert count == sum(seconds <= float(bound) for seconds in observed)
    assert histogram.total == pytest.approx(sum(observed))
