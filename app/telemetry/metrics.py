"""Counters as plain integers on the hot path; Prometheus' shapes are made when it scrapes.

Source: Prometheus, "Metric and label naming" (base units, `_total`, `_seconds`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.domain.backend import Health, Profile

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Histogram:
    """Counts a bucket, and the sum. Seconds."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_BOUNDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.buckets[bisect_left(_BOUNDS, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """(upper bound, observations at or under it), as Prometheus wants them."""
        rows, count = [], 0
        for bound, bucket in zip([*map(str, _BOUNDS), "+Inf"], self.buckets, strict=True):
            count += bucket
            rows.append((bound, float(count)))
        return rows


class LaneView(Protocol):
    """What the scrape reads of a backend as it stands."""

    profile: Profile
    busy: int

    def health(self) -> Health:
        """The breaker's state now."""

    def waiting(self) -> int:
        """Jobs in line."""


class Metrics:
    """Labels are bounded: endpoints, statuses, backends and outcomes, never what a client sent."""

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.request_seconds: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.answers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.first_chunk_seconds: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.prompt_tokens: defaultdict[str, int] = defaultdict(int)
        self.completion_tokens: defaultdict[str, int] = defaultdict(int)
        self.decisions: defaultdict[tuple[str, str], int] = defaultdict(int)

    def expose(self, lanes: Iterable[LaneView]) -> bytes:
        """The text that /metrics answers with, in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(_Snapshot(self, lanes))
        return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, metrics: Metrics, lanes: Iterable[LaneView]) -> None:
        self._metrics = metrics
        self._lanes = lanes

    def collect(self) -> Iterator[Metric]:
        metrics = self._metrics
        yield _counter("isotherm_requests", "Requests answered.", ("endpoint", "status"), metrics.requests)
        yield _histogram("isotherm_request_duration_seconds", "Whole requests.", "endpoint", metrics.request_seconds)
        yield _counter("isotherm_answers", "Jobs by what became of them.", ("backend", "outcome"), metrics.answers)
        yield _counter(
            "isotherm_routing_decisions", "First choices, by the rule that weighed most.", ("backend", "rule"),
            metrics.decisions,
        )  # fmt: skip
        yield _histogram(
            "isotherm_time_to_first_chunk_seconds", "From the job's start.", "backend", metrics.first_chunk_seconds
        )
        yield _counter("isotherm_prompt_tokens", "Tokens read.", ("backend",), _keyed(metrics.prompt_tokens))
        yield _counter("isotherm_completion_tokens", "Tokens written.", ("backend",), _keyed(metrics.completion_tokens))
        yield from self._of_lanes()

    def _of_lanes(self) -> Iterator[Metric]:
        busy = GaugeMetricFamily("isotherm_backend_busy", "Jobs that a backend works on.", labels=["backend"])
        waiting = GaugeMetricFamily("isotherm_backend_waiting", "Jobs that wait for a place.", labels=["backend"])
        health = GaugeMetricFamily("isotherm_backend_health", "1 for the breaker's state.", labels=["backend", "state"])
        for lane in self._lanes:
            name, now = lane.profile.id, lane.health()
            busy.add_metric([name], lane.busy)
            waiting.add_metric([name], lane.waiting())
            for state in Health:
                health.add_metric([name, state], float(state is now))
        yield from (busy, waiting, health)


def _keyed(counts: dict[str, int]) -> dict[tuple[str, ...], int]:
    return {(name,): count for name, count in counts.items()}


def _counter(name: str, text: str, labels: tuple[str, ...], counts: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, count in sorted(counts.items()):
        family.add_metric([str(part) for part in key], count)
    return family


def _histogram(name: str, text: str, label: str, histograms: dict[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=[label])
    for key, histogram in sorted(histograms.items()):
        family.add_metric([key], buckets=histogram.cumulative(), sum_value=histogram.total)
    return family
