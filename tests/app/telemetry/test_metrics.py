"""What Prometheus reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from app.domain.backend import Health
from app.telemetry.metrics import Histogram, LaneView, Metrics
from tests.app.builders import lane

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics, *lanes: LaneView) -> Samples:
    """Every value of the scrape by name and labels, as Prometheus' own parser reads it."""
    text = metrics.expose(lanes).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_are_exposed_with_their_labels() -> None:
    metrics = Metrics()
    metrics.requests["chat", 200] += 3
    metrics.answers["eco", "completed"] += 2
    metrics.decisions["eco", "prefer-tier"] += 1
    metrics.prompt_tokens["eco"] += 70
    metrics.completion_tokens["eco"] += 20

    read = samples(metrics)

    assert read["isotherm_requests_total", (("endpoint", "chat"), ("status", "200"))] == 3
    assert read["isotherm_answers_total", (("backend", "eco"), ("outcome", "completed"))] == 2
    assert read["isotherm_routing_decisions_total", (("backend", "eco"), ("rule", "prefer-tier"))] == 1
    assert read["isotherm_prompt_tokens_total", (("backend", "eco"),)] == 70
    assert read["isotherm_completion_tokens_total", (("backend", "eco"),)] == 20


def test_durations_are_counted_in_buckets_that_add_up() -> None:
    metrics = Metrics()
    for seconds in (0.004, 0.3, 400.0):
        metrics.request_seconds["chat"].observe(seconds)

    read = samples(metrics)

    def bucket(bound: str) -> float:
        return read["isotherm_request_duration_seconds_bucket", (("endpoint", "chat"), ("le", bound))]

    assert [bucket(bound) for bound in ("0.005", "0.25", "0.5", "300.0", "+Inf")] == [1, 1, 2, 2, 3]
    assert read["isotherm_request_duration_seconds_count", (("endpoint", "chat"),)] == 3
    assert read["isotherm_request_duration_seconds_sum", (("endpoint", "chat"),)] == pytest.approx(400.304)


def test_every_backend_shows_how_it_is_now() -> None:
    box, _ = lane("box")
    box.busy = 2

    read = samples(Metrics(), box)

    assert read["isotherm_backend_busy", (("backend", "box"),)] == 2
    assert read["isotherm_backend_waiting", (("backend", "box"),)] == 0
    states = {state: read["isotherm_backend_health", (("backend", "box"), ("state", state))] for state in Health}
    assert states == {Health.UNKNOWN: 0, Health.CLOSED: 1, Health.OPEN: 0, Health.HALF_OPEN: 0}


def test_an_idle_gateway_can_be_scraped() -> None:
    assert samples(Metrics()) == {}


def test_labels_with_odd_characters_do_not_break_the_scrape() -> None:
    metrics = Metrics()
    metrics.decisions['a"b\\c\nd', "rule"] += 1

    assert samples(metrics)["isotherm_routing_decisions_total", (("backend", 'a"b\\c\nd'), ("rule", "rule"))] == 1


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_each_bucket_holds_all_that_is_at_or_under_its_bound(observed: list[float]) -> None:
    histogram = Histogram()
    for seconds in observed:
        histogram.observe(seconds)

    for bound, count in histogram.cumulative():
        assert count == sum(seconds <= float(bound) for seconds in observed)
    assert histogram.total == pytest.approx(sum(observed))
