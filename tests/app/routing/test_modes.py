"""The contract's table of modes, and what `auto` makes of a machine."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Hardware
from app.domain.job import Workload
from app.domain.thermal import Battery
from app.routing.modes import AUTO, MODES, WORKLOADS, AutoRules, Choice, Facts, derive

_NOON = time(12)
_RULES = AutoRules()


@pytest.mark.parametrize(
    ("name", "order", "watts", "fan", "celsius"),
    [
        ("performance", "nvidia igpu npu cpu cloud", None, 100, 90),
        ("balanced", "igpu nvidia npu cpu cloud", 60, 80, 85),
        ("efficiency", "npu igpu nvidia", 15, 60, 75),
        ("quiet", "npu igpu", 15, 40, 70),
        ("ultra-efficiency", "npu", 5, 30, 65),
    ],
)
def test_the_table_is_the_contract(name: str, order: str, watts: float | None, fan: float, celsius: float) -> None:
    mode = MODES[name]

    assert " ".join(mode.order) == order
    assert (mode.name, mode.max_watts, mode.max_fan_percent, mode.max_celsius) == (name, watts, fan, celsius)


def test_there_are_five_modes_and_auto_is_none_of_them() -> None:
    assert len(MODES) == 5
    assert AUTO not in MODES


def test_each_kind_of_work_has_its_hardware_and_text_and_real_time_any() -> None:
    assert WORKLOADS.keys() == {Workload.AUDIO, Workload.CODE, Workload.IMAGE}
    assert WORKLOADS[Workload.AUDIO] == {Hardware.NPU}
    assert WORKLOADS[Workload.CODE] == WORKLOADS[Workload.IMAGE] == {Hardware.NVIDIA}


def battery(percent: float, *, plugged: bool = False) -> Battery:
    return Battery(percent, plugged)


def auto(previous: Choice | None = None, rules: AutoRules = _RULES, **facts: Any) -> Choice:
    return derive(Facts(**{"time_of_day": _NOON, **facts}), previous, rules)


_ALL_AT_ONCE: dict[str, Any] = {
    "battery": battery(19),
    "time_of_day": time(23),
    "hottest": ("gpu", 90.0),
    "loudest": ("gpu", 90.0),
}


@pytest.mark.parametrize(
    ("milder", "mode", "why"),
    [
        ({}, "ultra-efficiency", "on battery at 19 %, under 20"),
        ({"battery": battery(20)}, "efficiency", "on battery at 20 %, under 50"),
        ({"battery": battery(50)}, "quiet", "quiet hours, 22:00 to 06:00"),
        ({"battery": battery(50), "time_of_day": _NOON}, "efficiency", "zone 'gpu' reached 90.0 °C, over 75"),
        (
            {"battery": battery(50), "time_of_day": _NOON, "hottest": ("gpu", 75.0)},
            "quiet",
            "the fan of zone 'gpu' reached 90 %, over 70",
        ),
        (
            {"battery": battery(50), "time_of_day": _NOON, "hottest": None, "loudest": ("gpu", 70.0)},
            "balanced",
            "on battery",
        ),
        (
            {"battery": battery(5, plugged=True), "time_of_day": _NOON, "hottest": None, "loudest": None},
            "performance",
            "nothing asks for less",
        ),
    ],
)
def test_the_first_cause_that_holds_decides(milder: dict[str, Any], mode: str, why: str) -> None:
    choice = auto(**{**_ALL_AT_ONCE, **milder})

    assert (choice.mode, choice.why) == (mode, why)


def test_a_machine_that_knows_nothing_of_itself_performs() -> None:
    assert auto().mode == "performance"


@pytest.mark.parametrize(
    ("now", "quiet"),
    [
        (time(21, 59), False),
        (time(22), True),
        (time(23, 59), True),
        (time(0), True),
        (time(5, 59), True),
        (time(6), False),
    ],
)
def test_quiet_hours_span_midnight(now: time, quiet: bool) -> None:
    assert (auto(time_of_day=now).mode == "quiet") is quiet


@pytest.mark.parametrize(
    ("now", "quiet"), [(time(12, 59), False), (time(13), True), (time(15), False), (time(0), False)]
)
def test_quiet_hours_may_lie_within_a_day(now: time, quiet: bool) -> None:
    rules = AutoRules(quiet_from=time(13), quiet_until=time(15))

    assert (auto(rules=rules, time_of_day=now).mode == "quiet") is quiet


@pytest.mark.parametrize(
    "rules",
    [AutoRules(quiet_from=None), AutoRules(quiet_until=None), AutoRules(quiet_from=time(3), quiet_until=time(3))],
)
def test_there_need_be_no_quiet_hours(rules: AutoRules) -> None:
    assert auto(rules=rules, time_of_day=time(3)).mode == "performance"


@pytest.mark.parametrize(
    ("begin", "on", "off", "mode"),
    [
        ({"hottest": ("gpu", 75.1)}, {"hottest": ("gpu", 70.1)}, {"hottest": ("gpu", 70.0)}, "efficiency"),
        ({"loudest": ("gpu", 70.1)}, {"loudest": ("gpu", 60.1)}, {"loudest": ("gpu", 60.0)}, "quiet"),
        ({"battery": battery(19.9)}, {"battery": battery(21.9)}, {"battery": battery(22)}, "ultra-efficiency"),
        ({"battery": battery(49.9)}, {"battery": battery(51.9)}, {"battery": battery(52)}, "efficiency"),
    ],
)
def test_a_mode_is_left_only_when_its_cause_is_well_over(
    begin: dict[str, Any], on: dict[str, Any], off: dict[str, Any], mode: str
) -> None:
    began = auto(**begin)

    assert began.mode == mode
    assert auto(began, **on) is began
    assert auto(began, **off).cause != began.cause
    assert auto(None, **on).cause != began.cause


def test_a_mode_that_was_chosen_for_the_battery_is_not_kept_for_the_heat() -> None:
    for_the_battery = auto(battery=battery(40))

    assert for_the_battery.mode == "efficiency"
    assert auto(for_the_battery, hottest=("gpu", 73.0)).mode == "performance"


def test_a_choice_keeps_its_reason_while_its_cause_goes_on() -> None:
    began = auto(hottest=("gpu", 76.0))

    assert auto(began, hottest=("cpu", 99.0)).why == "zone 'gpu' reached 76.0 °C, over 75"


def test_a_weightier_cause_takes_over_at_once() -> None:
    assert auto(auto(hottest=("gpu", 76.0)), hottest=("gpu", 76.0), battery=battery(10)).cause == "battery-low"


@given(
    base=st.tuples(st.floats(5, 95), st.floats(40, 95), st.floats(10, 100)),
    wobbles=st.lists(st.tuples(*[st.floats(-0.49, 0.49)] * 3), min_size=2, max_size=40),
    plugged=st.booleans(),
    hour=st.integers(0, 23),
)
def test_a_wobble_smaller_than_the_hysteresis_never_brings_a_cause_back(
    base: tuple[float, float, float], wobbles: list[tuple[float, float, float]], plugged: bool, hour: int
) -> None:
    percent, celsius, fan = base
    choice: Choice | None = None
    causes: list[str] = []
    for charge, heat, noise in wobbles:
        facts = Facts(
            time(hour), Battery(percent + 2 * charge, plugged), ("gpu", celsius + 5 * heat), ("gpu", fan + 10 * noise)
        )
        choice = derive(facts, choice)
        if not causes or causes[-1] != choice.cause:
            causes.append(choice.cause)

    assert len(set(causes)) == len(causes)
