"""One reading out of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from app.domain.thermal import Battery, Reading
from app.thermal.merge import merge

celsius = st.none() | st.floats(-40, 150)
readings = st.lists(
    st.builds(
        Reading,
        at=st.floats(0, 1e6),
        celsius=celsius,
        watts=st.none() | st.floats(0, 500),
        fan_percent=st.none() | st.floats(0, 100),
        fan_rpm=st.none() | st.floats(0, 5000),
        throttling=st.none() | st.booleans(),
        limit_slowdown_celsius=celsius,
        limit_shutdown_celsius=celsius,
        asleep=st.booleans(),
        modelled=st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


def test_the_hottest_the_loudest_and_the_strictest_count() -> None:
    cool = Reading(1.0, celsius=40, fan_percent=70, fan_rpm=900, limit_slowdown_celsius=90, limit_shutdown_celsius=99)
    hot = Reading(1.0, celsius=60, fan_percent=30, fan_rpm=1200, limit_slowdown_celsius=95, limit_shutdown_celsius=97)

    assert merge([cool, hot]) == Reading(
        1.0, celsius=60, fan_percent=70, fan_rpm=1200, limit_slowdown_celsius=90, limit_shutdown_celsius=97
    )


def test_of_what_can_not_be_compared_the_first_that_is_known_counts() -> None:
    battery = Battery(50, plugged=True)
    merged = merge([Reading(1.0), Reading(1.0, watts=20, joules=7), Reading(1.0, watts=90, battery=battery)])

    assert (merged.watts, merged.joules, merged.battery) == (20, 7, battery)


@pytest.mark.parametrize(
    ("said", "merged"),
    [([None, None], None), ([None, False], False), ([False, False], False), ([False, None, True], True)],
)
def test_it_throttles_if_any_part_does_and_nobody_knowing_is_not_no(
    said: Sequence[bool | None], merged: bool | None
) -> None:
    assert merge([Reading(1.0, throttling=each) for each in said]).throttling is merged


def test_the_newest_instant_counts() -> None:
    assert merge([Reading(3.0), Reading(9.0), Reading(5.0)]).at == 9.0


def test_zero_is_a_value_and_not_unknown() -> None:
    merged = merge([Reading(1.0), Reading(1.0, watts=0.0, utilisation=0.0), Reading(1.0, watts=5.0, utilisation=1.0)])

    assert (merged.watts, merged.utilisation) == (0.0, 0.0)


def test_a_sleeping_card_sleeps_although_somebody_knows_the_battery() -> None:
    assert merge([Reading(1.0, asleep=True), Reading(1.0, battery=Battery(50, plugged=True))]).asleep


def test_a_sleeping_card_beside_one_that_is_awake_makes_no_sleeping_zone() -> None:
    assert not merge([Reading(1.0, asleep=True), Reading(1.0, celsius=40)]).asleep


def test_nobody_asleep_is_awake_even_without_a_temperature() -> None:
    assert not merge([Reading(1.0), Reading(1.0, utilisation=0.5)]).asleep


@pytest.mark.parametrize("given", [{"celsius": 1.0}, {"watts": 1.0}, {"joules": 1.0}])
def test_what_a_model_gave_makes_the_whole_modelled(given: dict[str, Any]) -> None:
    assert merge([Reading(1.0, celsius=50), Reading(1.0, modelled=True, **given)]).modelled


def test_a_model_that_gave_nothing_physical_does_not() -> None:
    assert not merge([Reading(1.0, celsius=50), Reading(1.0, utilisation=0.1, modelled=True)]).modelled


@hypothesis.given(readings)
def test_in_whatever_order_they_come_heat_noise_and_limits_are_the_same(several: list[Reading]) -> None:
    one, other = merge(several), merge(several[::-1])

    assert replace(one, watts=None) == replace(other, watts=None)


@hypothesis.given(readings)
def test_merging_what_is_merged_changes_nothing(several: list[Reading]) -> None:
    if len(several) > 1:
        assert merge([merge(several), merge(several)]) == merge(several)


@hypothesis.given(
    st.builds(Reading, at=st.floats(0, 1e6), celsius=celsius, asleep=st.booleans(), modelled=st.booleans())
)
def test_one_alone_stays_as_it_is(reading: Reading) -> None:
    assert merge([reading]) == reading
