"""Which hardware is good at what."""

from __future__ import annotations

import pytest

from app.domain.backend import Hardware
from app.domain.job import Workload
from app.routing.rules.workload import judge
from app.routing.weights import ORDER_PLACE, WORKLOAD
from tests.app.builders import candidate, conditions, job

_NOW = conditions(
    workloads={
        Workload.CODE: frozenset({Hardware.NVIDIA, Hardware.CLOUD}),
        Workload.AUDIO: frozenset({Hardware.NPU}),
        Workload.REALTIME: frozenset(),
    }
)


@pytest.mark.parametrize("hardware", [Hardware.NVIDIA, Hardware.CLOUD, Hardware.AMD])
def test_hardware_that_is_good_at_it_is_free_and_amd_counts_as_nvidia(hardware: Hardware) -> None:
    assert judge(job(workload=Workload.CODE), candidate(hardware=hardware), _NOW) is None


def test_amd_is_no_npu() -> None:
    assert judge(job(workload=Workload.AUDIO), candidate(hardware=Hardware.AMD), _NOW) is not None


def test_other_hardware_costs_more_than_two_places_of_the_order() -> None:
    verdict = judge(job(workload=Workload.CODE), candidate(hardware=Hardware.IGPU), _NOW)

    assert verdict is not None
    assert not verdict.reject
    assert verdict.penalty == WORKLOAD > 2 * ORDER_PLACE
    assert verdict.reason == "code is better done by cloud or nvidia"


@pytest.mark.parametrize("workload", [Workload.TEXT, Workload.REALTIME])
def test_work_that_any_hardware_does_well_goes_anywhere(workload: Workload) -> None:
    assert judge(job(workload=workload), candidate(hardware=Hardware.CPU), _NOW) is None


def test_the_title_of_a_talk_about_code_needs_no_graphics_card() -> None:
    assert judge(job(workload=Workload.CODE, background=True), candidate(hardware=Hardware.CPU), _NOW) is None
