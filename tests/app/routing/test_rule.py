"""All rules together: which backend is chosen."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Candidate, Hardware, Health, Learned
from app.domain.decision import Decision, Precedence
from app.domain.errors import NoRouteError
from app.domain.job import Job, Priority, Wishes, Workload
from app.domain.mode import Conditions
from app.domain.thermal import Battery, Forecast, ThermalState, Zone
from app.loader import load
from app.routing.decide import decide, why_no_route
from app.routing.modes import MODES, WORKLOADS, Facts, derive
from app.routing.rule import KINDS
from tests.app.builders import candidate, conditions, job, zone

_RULES = tuple(load(kind, KINDS) for kind in KINDS)

#: Hardware with its watts and tier: the machine of the contract.
_MACHINE = {"npu": (4.0, 1), "igpu": (12.0, 2), "nvidia": (55.0, 3), "cpu": (20.0, 1)}


def machine(**changes: dict[str, Any]) -> list[Candidate]:
    """A backend on each kind of hardware, each in a cool zone of its own, but for the changes."""
    return [
        candidate(
            name,
            **{"hardware": Hardware(name), "watts": watts, "tier": tier, "zone": zone(name), **changes.get(name, {})},
        )
        for name, (watts, tier) in _MACHINE.items()
    ]


def now(mode: str = "balanced", **facts: Any) -> Conditions:
    told = {"quick": MODES["performance"], "frugal": MODES["efficiency"], "workloads": WORKLOADS, **facts}
    return conditions(MODES[mode], **told)


def chosen(asked: Job, candidates: list[Candidate], under: Conditions) -> Decision:
    return decide(asked, candidates, under, _RULES)


def order(decision: Decision) -> str:
    return " ".join(route.backend for route in decision.routes)


@pytest.mark.parametrize(
    ("mode", "routes"),
    [
        ("performance", "nvidia igpu npu cpu"),
        ("balanced", "igpu nvidia npu cpu"),
        ("efficiency", "npu igpu"),
        ("quiet", "npu igpu"),
        ("ultra-efficiency", "npu"),
    ],
)
def test_each_mode_asks_the_hardware_of_its_table_in_its_order(mode: str, routes: str) -> None:
    decision = chosen(job(), machine(), now(mode))

    assert order(decision) == routes
    assert decision.relaxed is None
    assert {route.rule for route in decision.rejected} <= {"mode-limits"}


@pytest.mark.parametrize(
    ("mode", "routes"),
    [("efficiency", "npu igpu nvidia"), ("quiet", "npu igpu"), ("ultra-efficiency", "npu")],
)
def test_the_frugal_modes_differ_where_every_backend_draws_little(mode: str, routes: str) -> None:
    frugal = machine(nvidia={"watts": 14.0}, cpu={"watts": 4.0})

    assert order(chosen(job(), frugal, now(mode))) == routes


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        (Facts(time(12)), "nvidia"),
        (Facts(time(12), Battery(80, plugged=False)), "igpu"),
        (Facts(time(12), Battery(40, plugged=False)), "npu"),
        (Facts(time(12), Battery(10, plugged=False)), "npu"),
        (Facts(time(23)), "npu"),
        (Facts(time(12), hottest=("nvidia", 80.0)), "npu"),
    ],
)
def test_auto_asks_what_the_mode_that_it_derives_asks(facts: Facts, first: str) -> None:
    assert chosen(job(), machine(), now(derive(facts).mode)).routes[0].backend == first


@pytest.mark.parametrize(
    ("mode", "heated", "first"),
    [
        ("performance", {"nvidia": {"celsius": 91.0}}, "igpu"),
        ("balanced", {"igpu": {"fan_percent": 81.0}}, "nvidia"),
        ("efficiency", {"npu": {"celsius": 76.0}}, "igpu"),
        ("quiet", {"npu": {"celsius": 71.0}}, "igpu"),
        ("quiet", {"npu": {"fan_percent": 41.0}}, "igpu"),
    ],
)
def test_a_zone_beyond_what_the_mode_allows_is_passed_over(
    mode: str, heated: dict[str, dict[str, float]], first: str
) -> None:
    changes = {name: {"zone": zone(name, state=ThermalState.NOMINAL, **facts)} for name, facts in heated.items()}

    assert chosen(job(), machine(**changes), now(mode)).routes[0].backend == first


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        ({"wishes": Wishes(latency_critical=True)}, "nvidia"),
        ({"workload": Workload.REALTIME}, "nvidia"),
        ({"wishes": Wishes(power_efficient=True)}, "npu"),
        ({"workload": Workload.CODE}, "nvidia"),
        ({"workload": Workload.IMAGE}, "nvidia"),
        ({"workload": Workload.AUDIO}, "npu"),
        ({"workload": Workload.TEXT}, "igpu"),
        ({"background": True, "workload": Workload.CODE}, "npu"),
        ({"priority": Priority.BEST_EFFORT}, "npu"),
        ({"wishes": Wishes(target="cpu")}, "cpu"),
        ({"wishes": Wishes(max_watts=10)}, "npu"),
    ],
)
def test_in_the_balanced_mode_each_wish_and_each_kind_of_work_has_its_backend(
    facts: dict[str, Any], first: str
) -> None:
    assert chosen(job(**facts), machine(), now()).routes[0].backend == first


def test_a_limit_of_the_mode_stands_above_a_wish() -> None:
    hurry = job(wishes=Wishes(latency_critical=True))

    assert order(chosen(hurry, machine(), now("quiet"))) == "igpu npu"


def test_background_work_goes_to_the_cpu_rather_than_heat_a_warm_npu() -> None:
    warm = machine(npu={"zone": zone("npu", celsius=71)})

    assert chosen(job(background=True), warm, now()).routes[0].backend == "cpu"


def test_a_critical_zone_gets_no_work_and_a_nearly_critical_one_gets_it_last() -> None:
    critical = chosen(job(), machine(nvidia={"zone": zone("nvidia", celsius=86)}), now("performance"))
    nearly = chosen(job(), machine(nvidia={"zone": zone("nvidia", celsius=84)}), now("performance"))

    assert order(critical) == "igpu npu cpu"
    assert critical.rejected[0].rule == "keep-cool"
    assert order(nearly) == "igpu npu cpu nvidia"


def test_an_order_is_kept_while_a_zone_has_just_begun_to_be_warm() -> None:
    warm = machine(igpu={"zone": zone("igpu", celsius=71)})

    assert chosen(job(), warm, now()).routes[0].backend == "igpu"


def test_where_the_mode_excludes_everything_the_least_excess_is_taken_and_the_cap_told() -> None:
    without_npu = machine()[1:]

    decision = chosen(job(), without_npu, now("ultra-efficiency"))

    assert order(decision) == "igpu cpu nvidia"
    assert decision.relaxed is Precedence.MODE
    assert decision.routes[0].reason == (
        "mode-limits: gave way, nothing else is left: mode ultra-efficiency uses no igpu, allows 5 W, it draws 12"
    )


def test_where_limits_do_not_give_way_the_error_names_each() -> None:
    without_npu = machine()[1:]

    decision = chosen(job(), without_npu, now("ultra-efficiency", relax=False))
    error = why_no_route(job(), decision)

    assert isinstance(error, NoRouteError)
    for cap in ("igpu: mode ultra-efficiency uses no igpu, allows 5 W, it draws 12", "nvidia: ", "cpu: "):
        assert cap in error.message


def test_where_everything_is_critical_nothing_gives_way() -> None:
    hot = machine(**{name: {"zone": zone(name, celsius=86)} for name in _MACHINE})

    decision = chosen(job(), hot, now("quiet"))
    error = why_no_route(job(), decision)

    assert order(decision) == ""
    assert isinstance(error, NoRouteError)
    assert "zone 'npu' is critical: 86.0 °C" in error.message
    assert error.retry_after_seconds == 10.0


def test_the_last_backend_takes_a_long_answer_though_it_may_get_too_hot() -> None:
    rising = zone("npu", 65, forecast=Forecast(0, 65, per_second=1))
    slow = Learned(first_token_seconds=1, tokens_per_second=1, tokens=100)

    decision = chosen(job(), machine(npu={"zone": rising, "learned": slow})[:1], now("quiet", relax=False))

    assert order(decision) == "npu"
    assert decision.relaxed is Precedence.DEFAULT


def test_a_budget_wakes_what_is_small_enough() -> None:
    assert order(chosen(job(), machine(), now("performance", watts_left=15))) == "igpu npu"


def test_a_busy_backend_gives_way_to_an_idle_one_of_the_next_hardware() -> None:
    full = machine(igpu={"concurrency": 1, "busy": 1})

    assert chosen(job(), full, now()).routes[0].backend == "nvidia"


def test_a_busy_small_backend_gives_way_to_an_idle_bigger_one_and_one_on_trial_to_both() -> None:
    small = candidate("small", tier=1, concurrency=2, busy=2)
    on_trial = candidate("on-trial", health=Health.HALF_OPEN)
    big = candidate("big", tier=2)

    assert order(chosen(job(), [on_trial, small, big], conditions())) == "big small on-trial"


def test_a_later_choice_of_an_alias_comes_after_all_hardware_of_the_first() -> None:
    second = machine(igpu={"preference": 1})

    assert order(chosen(job(), second, now())) == "nvidia npu cpu igpu"


_CELSIUS = st.floats(20, 100)
_ZONES = st.builds(
    zone,
    celsius=_CELSIUS | st.none(),
    fan_percent=st.floats(0, 100) | st.none(),
    avoid_unknown=st.booleans(),
    throttling=st.booleans(),
)
_JOBS = st.builds(
    job,
    stream=st.booleans(),
    background=st.booleans(),
    workload=st.sampled_from(Workload),
    priority=st.sampled_from(Priority),
    wishes=st.builds(
        Wishes,
        latency_critical=st.booleans(),
        power_efficient=st.booleans(),
        max_watts=st.none() | st.floats(1, 100),
        target=st.none() | st.sampled_from(sorted(_MACHINE)),
    ),
)
_MODES = st.sampled_from(sorted(MODES))
_HOT = {ThermalState.CRITICAL, ThermalState.SHUTDOWN}


@given(_JOBS, _MODES, st.lists(_ZONES | st.none(), min_size=4, max_size=4), st.booleans())
def test_no_wish_and_no_mode_sends_work_to_a_critical_zone(
    asked: Job, mode: str, zones: list[Zone | None], relax: bool
) -> None:
    heated = {name: {"zone": each} for name, each in zip(_MACHINE, zones, strict=True)}
    candidates = machine(**heated)

    decision = chosen(asked, candidates, now(mode, relax=relax))

    assert decision == chosen(asked, candidates, now(mode, relax=relax))
    for route in decision.routes:
        heat = route.candidate.zone
        assert heat is None or heat.state not in _HOT
    if relax and not all(each is not None and each.state in _HOT for each in zones):
        assert decision.routes


@given(_JOBS, _MODES, _CELSIUS, _CELSIUS, st.sampled_from(sorted(_MACHINE)))
def test_a_hotter_zone_never_makes_a_backend_more_attractive(
    asked: Job, mode: str, one: float, other: float, name: str
) -> None:
    def penalty_at(celsius: float) -> float:
        (only,) = (each for each in machine(**{name: {"zone": zone(celsius=celsius)}}) if each.profile.id == name)
        decision = chosen(replace(asked, wishes=replace(asked.wishes, target=None)), [only], now(mode))
        return decision.routes[0].penalty if decision.routes else float("inf")

    cooler, hotter = sorted((one, other))

    assert penalty_at(cooler) <= penalty_at(hotter)
