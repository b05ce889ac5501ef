"""What Prometheus reads."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from app.domain.backend import Health
from app.domain.handoff import Continuation, Handoff, Reason
from app.domain.thermal import Battery, ThermalState, Zone
from app.telemetry.exposition import LaneView, expose
from app.telemetry.metrics import Metrics
from tests.app.builders import lane, zone

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

MODES = ("balanced", "quiet")
MOVE = Handoff(Reason.HEAT, "too hot", "gpu", "cpu", Continuation.KV, stall_seconds=0.04, result="completed")


def text(metrics: Metrics | None = None, lanes: Sequence[LaneView] = (), zones: Sequence[Zone] = ()) -> str:
    return expose(metrics or Metrics(), lanes, zones, "quiet", MODES).decode()


def families(metrics: Metrics | None = None, lanes: Sequence[LaneView] = (), *zones: Zone) -> list[Metric]:
    return list(text_string_to_metric_families(text(metrics, lanes, zones)))


def samples(metrics: Metrics | None = None, lanes: Sequence[LaneView] = (), *zones: Zone) -> Samples:
    """Every value of the scrape by name and labels, as Prometheus' own parser reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(metrics, lanes, *zones)
        for sample in family.samples
    }


def of_zone(made: Zone) -> dict[str, float]:
    """What is told of it, without the labels; its state by the state's name."""
    return {
        dict(labels).get("state", name.removeprefix("isotherm_")): value
        for (name, labels), value in samples(None, (), made).items()
        if ("zone", made.id) in labels
    }


def test_counters_are_exposed_with_their_labels() -> None:
    metrics = Metrics()
    metrics.requests["chat", 200] += 3
    metrics.answers["eco", "completed"] += 2
    metrics.decisions["eco", "prefer-tier"] += 1
    metrics.relaxed["mode"] += 5
    metrics.workloads["code"] += 6
    metrics.prompt_tokens["eco"] += 70
    metrics.completion_tokens["eco"] += 20
    metrics.energy_joules["eco", "measured"] += 12.5
    metrics.unmetered_answers["eco"] += 4

    read = samples(metrics)

    assert read["isotherm_requests_total", (("endpoint", "chat"), ("status", "200"))] == 3
    assert read["isotherm_answers_total", (("backend", "eco"), ("outcome", "completed"))] == 2
    assert read["isotherm_routing_decisions_total", (("backend", "eco"), ("rule", "prefer-tier"))] == 1
    assert read["isotherm_relaxed_decisions_total", (("limit", "mode"),)] == 5
    assert read["isotherm_jobs_total", (("workload", "code"),)] == 6
    assert read["isotherm_prompt_tokens_total", (("backend", "eco"),)] == 70
    assert read["isotherm_completion_tokens_total", (("backend", "eco"),)] == 20
    assert read["isotherm_energy_joules_total", (("backend", "eco"), ("source", "measured"))] == 12.5
    assert read["isotherm_unmetered_answers_total", (("backend", "eco"),)] == 4


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


@pytest.mark.parametrize(
    ("attribute", "name", "label"),
    [
        ("first_chunk_seconds", "isotherm_time_to_first_chunk_seconds", "backend"),
        ("token_seconds", "isotherm_time_per_token_seconds", "backend"),
        ("wait_seconds", "isotherm_queue_wait_seconds", "backend"),
    ],
)
def test_every_duration_has_its_name(attribute: str, name: str, label: str) -> None:
    metrics = Metrics()
    getattr(metrics, attribute)["eco"].observe(0.1)

    assert samples(metrics)[f"{name}_count", ((label, "eco"),)] == 1


def test_a_handoff_is_told_with_its_stall_and_the_bytes_that_it_moved() -> None:
    metrics = Metrics()
    metrics.handed_off(MOVE)
    metrics.slot_bytes += 4096

    read = samples(metrics)

    how = (("continuation", "kv"), ("reason", "heat"), ("result", "completed"))
    assert read["isotherm_handoffs_total", how] == 1
    assert read["isotherm_handoff_stall_seconds_bucket", (("continuation", "kv"), ("le", "0.05"))] == 1
    assert read["isotherm_handoff_stall_seconds_bucket", (("continuation", "kv"), ("le", "0.025"))] == 0
    assert read["isotherm_handoff_stall_seconds_sum", (("continuation", "kv"),)] == 0.04
    assert read["isotherm_handoff_state_bytes_total", ()] == 4096


def test_a_doubted_answer_is_told_with_who_took_it_and_how_likely_answers_were_right() -> None:
    metrics = Metrics()
    metrics.forwardings["eco", "max", "taken"] += 3
    metrics.forwardings["eco", "cloud", "refused"] += 1
    for probability in (0.05, 0.5, 0.96, 1.0):
        metrics.confidence["eco"].observe(probability)

    read = samples(metrics)

    def at_most(bound: str) -> float:
        return read["isotherm_confidence_bucket", (("backend", "eco"), ("le", bound))]

    taken, refused = (
        (("result", each), ("source", "eco"), ("target", to)) for each, to in (("taken", "max"), ("refused", "cloud"))
    )
    assert (read["isotherm_forwardings_total", taken], read["isotherm_forwardings_total", refused]) == (3, 1)
    assert [at_most(bound) for bound in ("0.1", "0.4", "0.5", "0.95", "0.99", "+Inf")] == [1, 1, 2, 2, 3, 4]
    assert read["isotherm_confidence_sum", (("backend", "eco"),)] == pytest.approx(2.51)


def test_bytes_that_were_never_moved_are_zero_from_the_start() -> None:
    assert samples()["isotherm_handoff_state_bytes_total", ()] == 0


def test_every_backend_shows_how_it_is_now() -> None:
    box, _ = lane("box")
    box.busy = 2
    box.pace(0.25)

    read = samples(None, [box])

    assert read["isotherm_backend_busy", (("backend", "box"),)] == 2
    assert read["isotherm_backend_waiting", (("backend", "box"),)] == 0
    assert read["isotherm_backend_duty_ratio", (("backend", "box"),)] == 0.25
    states = {state: read["isotherm_backend_health", (("backend", "box"), ("state", state))] for state in Health}
    assert states == {Health.UNKNOWN: 0, Health.CLOSED: 1, Health.OPEN: 0, Health.HALF_OPEN: 0}


def test_what_was_learned_of_a_model_is_told_and_what_was_not_is_not() -> None:
    box, _ = lane("box")
    box.ended("small", 9.0, 10, 10.0)
    labels = (("backend", "box"), ("model", "small"))

    read = samples(None, [box])
    assert read["isotherm_backend_tokens_per_second", labels] == 1.0
    assert ("isotherm_backend_joules_per_token", labels) not in read

    box.cost("small", 30.0, 10, 10.0)
    assert samples(None, [box])["isotherm_backend_joules_per_token", labels] == 3.0


def test_a_zone_is_told_in_base_units() -> None:
    hot = zone(
        "gpu",
        82.5,
        watts=120.0,
        joules=5000.0,
        fan_percent=75.0,
        utilisation=0.5,
        throttling=True,
        battery=Battery(40.0, plugged=False),
    )

    states: dict[str, float] = {state: float(state is ThermalState.WARNING) for state in ThermalState}
    assert of_zone(hot) == {
        **states,
        "zone_modelled": 0.0,
        "zone_temperature_celsius": 82.5,
        "zone_headroom_celsius": 2.5,
        "zone_power_watts": 120.0,
        "zone_energy_joules_total": 5000.0,
        "zone_fan_ratio": 0.75,
        "zone_utilisation_ratio": 0.5,
        "zone_throttling": 1.0,
        "battery_charge_ratio": 0.4,
    }


def test_what_nobody_knows_of_a_zone_is_not_there_rather_than_zero() -> None:
    blind = Zone("gpu", ThermalState.UNKNOWN, 0.0, zone().trips)

    assert of_zone(blind) == {state: float(state is ThermalState.UNKNOWN) for state in ThermalState}
    assert "zone_throttling" not in of_zone(zone("gpu", 40.0))


def test_a_fan_that_stands_still_is_known_to() -> None:
    assert of_zone(zone("gpu", 40.0, fan_percent=0.0))["zone_fan_ratio"] == 0.0


def test_a_simulated_zone_is_marked() -> None:
    assert of_zone(zone("gpu", 40.0, modelled=True))["zone_modelled"] == 1.0


def test_the_mode_in_force_is_one_of_all_modes() -> None:
    read = {dict(labels)["mode"]: value for (name, labels), value in samples().items() if name == "isotherm_mode"}

    assert read == {"balanced": 0, "quiet": 1}


def test_labels_with_odd_characters_do_not_break_the_scrape() -> None:
    metrics = Metrics()
    metrics.decisions['a"b\\c\nd', "rule"] += 1

    assert samples(metrics)["isotherm_routing_decisions_total", (("backend", 'a"b\\c\nd'), ("rule", "rule"))] == 1


def everything() -> str:
    """A scrape in which every family has a sample."""
    metrics, (box, _) = Metrics(), lane("box")
    box.ended("small", 9.0, 10, 10.0)
    box.cost("small", 30.0, 10, 10.0)
    for counts in (metrics.prompt_tokens, metrics.completion_tokens, metrics.relaxed, metrics.workloads):
        counts["any"] += 1
    for pairs in (metrics.answers, metrics.decisions):
        pairs["any", "any"] += 1
    metrics.requests["chat", 200] += 1
    metrics.energy_joules["any", "measured"] += 1
    metrics.unmetered_answers["any"] += 1
    metrics.handed_off(MOVE)
    metrics.forwardings["any", "other", "taken"] += 1
    metrics.confidence["any"].observe(0.5)
    for durations in (
        *(metrics.request_seconds, metrics.first_chunk_seconds),
        *(metrics.token_seconds, metrics.wait_seconds),
    ):
        durations["any"].observe(1.0)
    battery = Battery(40.0, plugged=False)
    told = zone("gpu", 50.0, watts=1.0, joules=1.0, fan_percent=1.0, utilisation=1.0, throttling=False, battery=battery)
    return text(metrics, [box], [told])


def test_every_family_follows_prometheus_own_rules_for_names() -> None:
    made = list(text_string_to_metric_families(everything()))

    assert all(family.samples for family in made)
    for family in made:
        assert family.name.startswith("isotherm_")
        assert family.documentation.endswith(".")
        assert all(word not in family.name for word in ("percent", "_ms", "milli", "watt_hours"))
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
        if family.type == "histogram":
            assert family.name.endswith("_seconds") or family.name == "isotherm_confidence"  # of 0 to 1: no unit


@pytest.mark.live
@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Prometheus' promtool")
def test_promtool_finds_nothing_to_say() -> None:
    lint = subprocess.run(["promtool", "check", "metrics"], input=everything(), capture_output=True, text=True)

    assert (lint.returncode, lint.stdout + lint.stderr) == (0, "")
