"""What is hot gets no work, what is warm gets it last."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.decision import Precedence, Verdict
from app.domain.thermal import ThermalState, TripPoints, Zone
from app.routing.rules.keep_cool import judge
from app.routing.weights import DOUBTFUL, HEAT, TIER, WARM
from tests.app.builders import candidate, conditions, job, zone


def verdict_on(heated: Zone | None) -> Verdict | None:
    return judge(job(), candidate(zone=heated), conditions())


def penalty_of(heated: Zone) -> float:
    verdict = verdict_on(heated)
    assert verdict is not None
    assert not verdict.reject
    return verdict.penalty


def test_a_cool_zone_and_none_at_all_raise_no_objection() -> None:
    assert verdict_on(None) is None
    assert verdict_on(zone(celsius=69.9)) is None


@pytest.mark.parametrize("state", [ThermalState.CRITICAL, ThermalState.SHUTDOWN])
def test_a_hot_zone_gets_no_work_and_that_is_a_matter_of_safety(state: ThermalState) -> None:
    verdict = verdict_on(zone(celsius=84, state=state))

    assert verdict is not None
    assert verdict.reject
    assert verdict.precedence is Precedence.SAFETY
    assert verdict.param is None


def test_the_penalty_grows_with_the_square_of_the_distance_to_the_warning_point() -> None:
    trips = TripPoints(warning=70, critical=90)

    assert penalty_of(zone(celsius=80, trips=trips)) == pytest.approx(HEAT / 4)
    assert penalty_of(zone(celsius=90, state=ThermalState.WARNING, trips=trips)) == pytest.approx(HEAT)


@pytest.mark.parametrize("celsius", [70.0, 66.0, None])
def test_a_zone_that_is_just_warm_or_still_is_loses_against_a_cool_one_a_tier_up(celsius: float | None) -> None:
    assert penalty_of(zone(celsius=celsius, state=ThermalState.WARNING)) == WARM > TIER


def test_trip_points_that_coincide_are_no_division_by_zero() -> None:
    assert penalty_of(zone(celsius=80, state=ThermalState.WARNING, trips=TripPoints(80, 80, 90))) == HEAT


@given(st.floats(60, 84), st.floats(0, 24))
def test_hotter_is_never_better(celsius: float, more: float) -> None:
    warm = zone(celsius=celsius, state=ThermalState.WARNING)
    warmer = zone(celsius=celsius + more, state=ThermalState.WARNING)

    assert penalty_of(warm) <= penalty_of(warmer)


def test_a_zone_that_nobody_can_measure_is_what_its_policy_says() -> None:
    assert verdict_on(zone(celsius=None)) is None
    assert penalty_of(zone(celsius=None, avoid_unknown=True)) == DOUBTFUL


def test_a_lost_zone_says_that_nobody_knows() -> None:
    verdict = verdict_on(zone("npu", celsius=None, avoid_unknown=True))

    assert verdict is not None
    assert verdict.reason == "nobody knows how hot zone 'npu' is"


@pytest.mark.parametrize(
    ("heated", "reason"),
    [
        (zone("gpu", 78.54), "zone 'gpu' is warning: 78.5 °C, 6.5 below critical"),
        (zone("gpu", 91), "zone 'gpu' is critical: 91.0 °C, 6.0 above critical"),
        (zone("gpu", 97), "zone 'gpu' is at its shutdown point: 97.0 °C, 12.0 above critical"),
        (
            zone("gpu", 80, state=ThermalState.CRITICAL, throttling=True),
            "zone 'gpu' is critical: 80.0 °C, 5.0 below critical, slowed down by heat",
        ),
        (zone("gpu", None, state=ThermalState.CRITICAL), "zone 'gpu' is critical"),
        (replace(zone("gpu", state=ThermalState.CRITICAL), reading=None), "zone 'gpu' is critical"),
    ],
)
def test_the_reason_says_how_hot_it_is_and_how_far_from_critical(heated: Zone, reason: str) -> None:
    verdict = verdict_on(heated)

    assert verdict is not None
    assert verdict.reason == reason
