"""What heat means: noise, headroom, where it is going, and which of two zones is the cooler one."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.thermal import FanPoints, Forecast, Noise, Reading, ThermalState, TripPoints, Zone


def zone(celsius: float | None = 65.0, state: ThermalState = ThermalState.NOMINAL, *, avoid: bool = False) -> Zone:
    reading = Reading(at=100.0, celsius=celsius, watts=40.0, fan_percent=50.0)
    return Zone("card", state, since=90.0, trips=TripPoints(), reading=reading, avoid_unknown=avoid)


UNHEARD = replace(zone(), reading=None)


@pytest.mark.parametrize(
    ("percent", "noise"),
    [
        (0, Noise.SILENT),
        (1, Noise.QUIET),
        (30, Noise.QUIET),
        (30.1, Noise.MODERATE),
        (60, Noise.MODERATE),
        (84.9, Noise.MODERATE),
        (85, Noise.LOUD),
        (100, Noise.LOUD),
    ],
)
def test_a_fan_is_as_loud_as_its_speed_says(percent: float, noise: Noise) -> None:
    assert FanPoints().noise(percent) is noise


def test_the_points_of_a_fan_can_be_moved() -> None:
    points = FanPoints(quiet=10, moderate=20, loud=40)

    assert [points.noise(percent) for percent in (10, 39, 40)] == [Noise.QUIET, Noise.MODERATE, Noise.LOUD]


# forecast

LINE = Forecast(at=100.0, celsius=60.0, per_second=0.5)
CURVE = Forecast(at=100.0, celsius=60.0, per_second=0.5, target=90.0, tau=60.0)


def test_a_line_goes_on_for_ever() -> None:
    assert LINE.celsius_in(0) == 60
    assert LINE.celsius_in(20) == 70
    assert LINE.seconds_until(85) == 50


def test_a_curve_covers_63_percent_of_its_way_in_its_time_constant() -> None:
    assert CURVE.celsius_in(0) == 60
    assert CURVE.celsius_in(60) == pytest.approx(60 + 30 * (1 - 1 / math.e))
    assert CURVE.celsius_in(6000) == pytest.approx(90)
    assert CURVE.seconds_until(75) == pytest.approx(60 * math.log(2))


def test_a_curve_never_reaches_its_target_nor_what_is_beyond() -> None:
    assert CURVE.seconds_until(89.9) is not None
    assert CURVE.seconds_until(90) is None
    assert CURVE.seconds_until(95) is None


@pytest.mark.parametrize("forecast", [LINE, CURVE, replace(LINE, per_second=-1.0), replace(LINE, per_second=0.0)])
def test_what_is_that_hot_already_is_so_at_once(forecast: Forecast) -> None:
    assert forecast.seconds_until(60) == 0
    assert forecast.seconds_until(50) == 0


@pytest.mark.parametrize(
    "forecast",
    [replace(LINE, per_second=0.0), replace(LINE, per_second=-0.1), replace(CURVE, target=40, per_second=-1)],
)
def test_what_does_not_rise_never_gets_hotter(forecast: Forecast) -> None:
    assert forecast.seconds_until(60.1) is None


def test_an_infinite_time_constant_is_a_line_whatever_its_target() -> None:
    endless = replace(LINE, target=90.0)

    assert endless.celsius_in(20) == 70
    assert endless.seconds_until(95) == 70


@given(st.floats(-20, 100), st.floats(0.5, 80), st.floats(1, 1000), st.floats(0.02, 0.98))
def test_a_curve_is_as_hot_as_it_said_when_it_said(start: float, climb: float, tau: float, share: float) -> None:
    curve = Forecast(0.0, start, climb / tau, start + climb, tau)
    wanted = start + share * climb

    seconds = curve.seconds_until(wanted)

    assert seconds is not None
    assert curve.celsius_in(seconds) == pytest.approx(wanted, abs=1e-6)


@given(st.floats(-20, 100), st.floats(-80, 80), st.floats(1, 1000), st.floats(0, 500), st.floats(0, 500))
def test_a_forecast_of_later_goes_on_where_one_of_sooner_ends(
    start: float, climb: float, tau: float, sooner: float, later: float
) -> None:
    curve = Forecast(0.0, start, climb / tau, start + climb, tau)
    then = replace(curve, at=sooner, celsius=curve.celsius_in(sooner))

    assert then.celsius_in(later) == pytest.approx(curve.celsius_in(sooner + later), abs=1e-6)


# zone


def test_a_zone_says_what_its_reading_says() -> None:
    assert (zone().celsius, zone().watts, zone().fan_percent, zone().noise) == (65.0, 40.0, 50.0, Noise.MODERATE)


def test_a_zone_that_is_not_heard_says_nothing() -> None:
    facts = (UNHEARD.celsius, UNHEARD.watts, UNHEARD.fan_percent, UNHEARD.noise, UNHEARD.headroom)

    assert facts == (None,) * 5
    assert UNHEARD.headroom_in(60) is None
    assert UNHEARD.seconds_until_critical() is None


def test_headroom_is_what_is_left_before_critical() -> None:
    assert zone(65).headroom == 20
    assert zone(90).headroom == -5
    assert zone(0.0).headroom == 85
    assert zone(None).headroom is None


def test_headroom_to_come_follows_the_forecast() -> None:
    rising = replace(zone(65), forecast=LINE)

    assert rising.headroom_in(0) == 25
    assert rising.headroom_in(20) == 15
    assert rising.headroom_in(80) == -15
    assert rising.seconds_until_critical() == 50


def test_without_a_forecast_the_headroom_stays_and_nobody_knows_when_it_ends() -> None:
    assert zone(65).headroom_in(1000) == 20
    assert zone(65).seconds_until_critical() is None


STATES = [ThermalState.NOMINAL, ThermalState.WARNING, ThermalState.CRITICAL, ThermalState.SHUTDOWN]


@pytest.mark.parametrize(("cooler", "hotter"), list(pairwise(STATES)))
def test_a_zone_in_a_cooler_state_is_cooler(cooler: ThermalState, hotter: ThermalState) -> None:
    assert zone(state=cooler).cooler_than(zone(state=hotter))
    assert not zone(state=hotter).cooler_than(zone(state=cooler))


@pytest.mark.parametrize("state", list(ThermalState))
def test_no_zone_is_cooler_than_one_in_the_same_state(state: ThermalState) -> None:
    assert not zone(50, state).cooler_than(zone(60, state))


def test_an_unknown_zone_counts_as_its_policy_says() -> None:
    allowed, avoided = (zone(None, ThermalState.UNKNOWN, avoid=avoid) for avoid in (False, True))
    warm, hot = zone(state=ThermalState.WARNING), zone(state=ThermalState.CRITICAL)

    assert allowed.cooler_than(warm)
    assert not avoided.cooler_than(warm)
    assert hot.cooler_than(avoided)
