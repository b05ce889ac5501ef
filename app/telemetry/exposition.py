"""What /metrics answers with: the counters, the backends and the zones in Prometheus' text format.

Source: Prometheus, "Metric and label naming" (base units, `_total`, `_seconds`, `_ratio`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.domain.backend import Health, Learned, Profile
from app.domain.thermal import ThermalState, Zone
from app.telemetry.metrics import Histogram, Metrics


class LaneView(Protocol):
    """What the scrape reads of a backend as it stands."""

    profile: Profile
    busy: int
    duty: float

    @property
    def learned(self) -> Mapping[str, Learned]:
        """What its answers have taught, by model."""

    def health(self) -> Health:
        """The breaker's state now."""

    def waiting(self) -> int:
        """Jobs in line."""


def expose(
    metrics: Metrics, lanes: Iterable[LaneView], zones: Iterable[Zone], mode: str, modes: Iterable[str]
) -> bytes:
    """The whole text; `mode` is the one of `modes` that is in force."""
    registry = CollectorRegistry()
    registry.register(_Snapshot([*_of_metrics(metrics), *_of_lanes(lanes), *_of_zones(zones), _of_mode(mode, modes)]))
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _of_metrics(metrics: Metrics) -> Iterator[Metric]:
    yield _counter("isotherm_requests", "Requests answered.", ("endpoint", "status"), metrics.requests)
    yield _histogram("isotherm_request_duration_seconds", "Whole requests.", "endpoint", metrics.request_seconds)
    yield _counter("isotherm_answers", "Jobs by what became of them.", ("backend", "outcome"), metrics.answers)
    yield _counter(
        "isotherm_routing_decisions", "First choices, by the rule that weighed most.", ("backend", "rule"),
        metrics.decisions,
    )  # fmt: skip
    yield _counter(
        "isotherm_relaxed_decisions", "Decisions for which a limit gave way, by whose it was.", ("limit",),
        _keyed(metrics.relaxed),
    )  # fmt: skip
    yield _counter("isotherm_jobs", "Jobs by the kind of work.", ("workload",), _keyed(metrics.workloads))
    yield _histogram(
        "isotherm_time_to_first_chunk_seconds", "From the job's start.", "backend", metrics.first_chunk_seconds
    )
    yield _histogram(
        "isotherm_time_per_token_seconds", "Mean of an answer, after its first.", "backend", metrics.token_seconds
    )
    yield _histogram("isotherm_queue_wait_seconds", "In a backend's line.", "backend", metrics.wait_seconds)
    yield _counter("isotherm_prompt_tokens", "Tokens read.", ("backend",), _keyed(metrics.prompt_tokens))
    yield _counter("isotherm_completion_tokens", "Tokens written.", ("backend",), _keyed(metrics.completion_tokens))
    yield _counter(
        "isotherm_energy_joules", "Energy of answers, by how it is known.", ("backend", "source"), metrics.energy_joules
    )
    yield _counter(
        "isotherm_unmetered_answers", "Answers whose energy nobody knows.", ("backend",),
        _keyed(metrics.unmetered_answers),
    )  # fmt: skip
    yield _counter(
        "isotherm_handoffs", "Moves of running answers.", ("reason", "continuation", "result"), metrics.handoffs
    )
    yield _histogram(
        "isotherm_handoff_stall_seconds", "From the stop to the next piece.", "continuation", metrics.stall_seconds
    )
    yield _counter(
        "isotherm_forwardings",
        "Doubted answers, and whether another backend took them.",
        ("source", "target", "result"),
        metrics.forwardings,
    )
    yield _histogram("isotherm_confidence", "Probability of being right.", "backend", metrics.confidence)
    yield _counter("isotherm_handoff_state_bytes", "Models' state that moved.", (), {(): metrics.slot_bytes})


def _of_lanes(lanes: Iterable[LaneView]) -> Iterator[Metric]:
    busy = _gauge("isotherm_backend_busy", "Jobs that a backend works on.", "backend")
    waiting = _gauge("isotherm_backend_waiting", "Jobs that wait for a place.", "backend")
    health = _gauge("isotherm_backend_health", "1 for the breaker's state.", "backend", "state")
    duty = _gauge("isotherm_backend_duty_ratio", "Share of the time that it may work, for heat.", "backend")
    speed = _gauge("isotherm_backend_tokens_per_second", "Learned speed of writing.", "backend", "model")
    cost = _gauge("isotherm_backend_joules_per_token", "Learned energy of writing.", "backend", "model")
    for lane in lanes:
        name, now = lane.profile.id, lane.health()
        busy.add_metric([name], lane.busy)
        waiting.add_metric([name], lane.waiting())
        duty.add_metric([name], lane.duty)
        for state in Health:
            health.add_metric([name, state], float(state is now))
        for model, learned in sorted(lane.learned.items()):
            _add(speed, [name, model], learned.tokens_per_second)
            _add(cost, [name, model], learned.joules_per_token)
    yield from (busy, waiting, health, duty, speed, cost)


def _of_zones(zones: Iterable[Zone]) -> Iterator[Metric]:
    state = _gauge("isotherm_zone_state", "1 for the state that a zone is in.", "zone", "state")
    modelled = _gauge("isotherm_zone_modelled", "1 for a zone that is simulated or replayed.", "zone")
    celsius = _gauge("isotherm_zone_temperature_celsius", "How hot it is.", "zone")
    headroom = _gauge("isotherm_zone_headroom_celsius", "Degrees left before it is critical.", "zone")
    watts = _gauge("isotherm_zone_power_watts", "What it draws.", "zone")
    joules = CounterMetricFamily("isotherm_zone_energy_joules", "Its energy counter.", labels=["zone"])
    fan = _gauge("isotherm_zone_fan_ratio", "Its fan's speed, of the highest.", "zone")
    load = _gauge("isotherm_zone_utilisation_ratio", "How much of it is used.", "zone")
    throttling = _gauge("isotherm_zone_throttling", "1 while heat slows it.", "zone")
    battery = _gauge("isotherm_battery_charge_ratio", "Charge of the zone's battery.", "zone")
    for zone in zones:
        for each in ThermalState:
            state.add_metric([zone.id, each], float(each is zone.state))
        reading = zone.reading
        if reading is None:
            continue
        modelled.add_metric([zone.id], float(reading.modelled))
        _add(celsius, [zone.id], reading.celsius)
        _add(headroom, [zone.id], zone.headroom)
        _add(watts, [zone.id], reading.watts)
        _add(fan, [zone.id], None if reading.fan_percent is None else reading.fan_percent / 100)
        _add(load, [zone.id], reading.utilisation)
        _add(throttling, [zone.id], reading.throttling)
        _add(battery, [zone.id], None if reading.battery is None else reading.battery.percent / 100)
        if reading.joules is not None:
            joules.add_metric([zone.id], reading.joules)
    yield from (state, modelled, celsius, headroom, watts, joules, fan, load, throttling, battery)


def _of_mode(mode: str, modes: Iterable[str]) -> Metric:
    family = _gauge("isotherm_mode", "1 for the efficiency mode in force.", "mode")
    for name in modes:
        family.add_metric([name], float(name == mode))
    return family


def _add(family: GaugeMetricFamily, labels: list[str], value: float | None) -> None:
    """What is unknown is not there, rather than zero."""
    if value is not None:
        family.add_metric(labels, float(value))


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def _keyed(counts: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    return {(name,): count for name, count in counts.items()}


def _counter(name: str, text: str, labels: tuple[str, ...], counts: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, count in sorted(counts.items()):
        family.add_metric([str(part) for part in key], count)
    return family


def _histogram(name: str, text: str, label: str, histograms: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=[label])
    for key, histogram in sorted(histograms.items()):
        family.add_metric([key], buckets=histogram.cumulative(), sum_value=histogram.total)
    return family
