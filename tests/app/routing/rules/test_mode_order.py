"""Which hardware is asked first."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.backend import Hardware
from app.domain.decision import Verdict
from app.domain.job import Wishes, Workload
from app.routing.rules.mode_order import judge
from app.routing.weights import ORDER_PLACE, TIER
from tests.app.builders import candidate, conditions, job, mode

_SLOW = mode("slow", order=(Hardware.CPU, Hardware.IGPU, Hardware.NVIDIA))
_QUICK = mode("quick", order=(Hardware.NVIDIA, Hardware.IGPU, Hardware.CPU))
_FRUGAL = mode("frugal", order=(Hardware.IGPU, Hardware.CPU))
_NOW = conditions(_SLOW, quick=_QUICK, frugal=_FRUGAL)


def places(**facts: Any) -> dict[Hardware, float]:
    """The place of each kind of hardware, counted from 0."""
    verdicts: dict[Hardware, Verdict | None] = {
        hardware: judge(job(**facts), candidate(hardware=hardware), _NOW)
        for hardware in (Hardware.CPU, Hardware.IGPU, Hardware.NVIDIA)
    }
    return {hardware: verdict.penalty / ORDER_PLACE if verdict else 0 for hardware, verdict in verdicts.items()}


def test_ordinary_jobs_go_by_the_order_of_the_mode_in_force() -> None:
    assert places() == {Hardware.CPU: 0, Hardware.IGPU: 1, Hardware.NVIDIA: 2}


@pytest.mark.parametrize("facts", [{"wishes": Wishes(latency_critical=True)}, {"workload": Workload.REALTIME}])
def test_jobs_in_a_hurry_go_by_the_quick_order(facts: dict[str, Any]) -> None:
    assert places(**facts) == {Hardware.NVIDIA: 0, Hardware.IGPU: 1, Hardware.CPU: 2}


def test_thrifty_jobs_go_by_the_frugal_order_and_what_it_does_not_name_comes_last() -> None:
    assert places(wishes=Wishes(power_efficient=True)) == {Hardware.IGPU: 0, Hardware.CPU: 1, Hardware.NVIDIA: 2}


def test_hurry_comes_before_thrift() -> None:
    wishes = Wishes(latency_critical=True, power_efficient=True)

    assert places(wishes=wishes)[Hardware.NVIDIA] == 0


def test_a_place_of_the_order_outweighs_all_tiers() -> None:
    assert ORDER_PLACE > 9 * TIER


@pytest.mark.parametrize(
    ("hardware", "reason"),
    [(Hardware.IGPU, "igpu is choice 2 of slow"), (Hardware.CLOUD, "slow does not name cloud")],
)
def test_the_place_is_told_as_people_count(hardware: Hardware, reason: str) -> None:
    verdict = judge(job(), candidate(hardware=hardware), _NOW)

    assert verdict is not None
    assert not verdict.reject
    assert verdict.reason == reason
