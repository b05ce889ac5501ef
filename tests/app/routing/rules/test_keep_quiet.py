"""Fans that are heard."""

from __future__ import annotations

import pytest

from app.domain.thermal import Zone
from app.routing.rules.keep_quiet import judge
from app.routing.weights import NOISE, ORDER_PLACE
from tests.app.builders import candidate, conditions, job, zone


@pytest.mark.parametrize("heated", [None, zone(), zone(fan_percent=0), zone(fan_percent=30)])
def test_a_quiet_fan_and_one_that_nobody_knows_raise_no_objection(heated: Zone | None) -> None:
    assert judge(job(), candidate(zone=heated), conditions()) is None


@pytest.mark.parametrize(
    ("percent", "penalty"),
    [(31, NOISE / 4), (60, NOISE / 4), (72.5, NOISE * 5 / 8), (85, NOISE), (100, NOISE)],
)
def test_a_loud_fan_costs_four_times_a_moderate_one_and_between_them_it_rises(percent: float, penalty: float) -> None:
    verdict = judge(job(), candidate(zone=zone(fan_percent=percent)), conditions())

    assert verdict is not None
    assert not verdict.reject
    assert verdict.penalty == penalty


def test_noise_does_not_turn_the_order_of_the_mode_around() -> None:
    assert NOISE < ORDER_PLACE


def test_the_reason_says_whose_fan_and_how_fast() -> None:
    verdict = judge(job(), candidate(zone=zone("gpu", fan_percent=90.4)), conditions())

    assert verdict is not None
    assert verdict.reason == "the fan of zone 'gpu' is loud at 90 %"
