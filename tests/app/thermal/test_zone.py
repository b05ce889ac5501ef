"""Garbage, the device's own limits, and the state of a zone from its temperatures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.thermal import Battery, Reading, ThermalState, TripPoints
from app.thermal.zone import effective, next_state, plausible

NOMINAL, WARNING, CRITICAL, SHUTDOWN, UNKNOWN = (
    *(ThermalState.NOMINAL, ThermalState.WARNING, ThermalState.CRITICAL, ThermalState.SHUTDOWN),
    ThermalState.UNKNOWN,
)
LADDER = (NOMINAL, WARNING, CRITICAL, SHUTDOWN)
TRIPS = TripPoints(warning=70, critical=85, shutdown=95, hysteresis=5)
DWELL = 10.0

SOUND = Reading(
    at=1.0,
    celsius=65.0,
    watts=120.0,
    joules=1e9,
    fan_percent=55.0,
    fan_rpm=1800.0,
    utilisation=0.7,
    megahertz=1500.0,
    memory_used_bytes=0,
    memory_total_bytes=8 << 30,
    throttling=False,
    battery=Battery(80.0, True, 0.0),
    limit_slowdown_celsius=93.0,
    limit_shutdown_celsius=98.0,
)


def reading(celsius: float | None, **facts: Any) -> Reading:
    return Reading(0.0, celsius, **facts)


def sound_but(**facts: Any) -> Reading:
    return replace(SOUND, **facts)


def after(state: ThermalState, celsius: float | None, seconds: float = 1000.0, **facts: Any) -> ThermalState:
    """The state of a zone that has been in `state` for so long, now that it is that hot."""
    return next_state(state, 0.0, reading(celsius, **facts), TRIPS, seconds, DWELL)


# plausible


@pytest.mark.parametrize("sound", [SOUND, Reading(1.0), sound_but(asleep=True, battery=None)])
def test_a_reading_without_garbage_is_the_same_object(sound: Reading) -> None:
    assert plausible(sound) is sound


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("celsius", -40, 150),
        ("fan_percent", 0, 100),
        ("fan_rpm", 0, 1e6),
        ("watts", 0, 100_000),
        ("joules", 0, 1e15),
        ("utilisation", 0, 1),
        ("megahertz", 0, 1e5),
        ("memory_used_bytes", 0, 1 << 40),
        ("memory_total_bytes", 0, 1 << 40),
        ("limit_slowdown_celsius", 30.1, 150),
        ("limit_shutdown_celsius", 30.1, 150),
    ],
)
def test_the_ends_of_a_range_are_sound(field: str, low: float, high: float) -> None:
    for value in (low, high):
        sound = sound_but(**{field: value})
        assert plausible(sound) is sound


@pytest.mark.parametrize(
    ("field", "garbage"),
    [
        *(("celsius", value) for value in (-40.1, 150.1, -273.15, 65_535.0)),
        *(("fan_percent", value) for value in (-0.1, 110.1, 65_535.0)),
        *(("watts", value) for value in (-0.1, 100_000.1)),
        *(("utilisation", value) for value in (-0.01, 1.01)),
        *(("limit_slowdown_celsius", value) for value in (0.0, 30.0, 150.1)),
        *(("limit_shutdown_celsius", value) for value in (0.0, 30.0, 150.1)),
        *((field, -1) for field in ("joules", "fan_rpm", "megahertz", "memory_used_bytes", "memory_total_bytes")),
        *(
            (field, value)
            for field in ("celsius", "fan_percent", "watts", "utilisation", "limit_slowdown_celsius", "joules")
            for value in (math.nan, math.inf, -math.inf)
        ),
    ],
)
def test_garbage_is_unknown_and_the_rest_stays(field: str, garbage: float) -> None:
    assert plausible(sound_but(**{field: garbage})) == sound_but(**{field: None})


def test_several_fields_may_be_garbage_at_once() -> None:
    assert plausible(sound_but(celsius=-1e9, watts=math.nan)) == sound_but(celsius=None, watts=None)


@pytest.mark.parametrize("percent", [100.1, 104.0, 110.0])
def test_a_fan_a_little_over_its_nominal_top_speed_is_at_it(percent: float) -> None:
    assert plausible(sound_but(fan_percent=percent)) == sound_but(fan_percent=100.0)


@pytest.mark.parametrize("percent", [-0.1, 100.1, math.nan, math.inf])
def test_a_battery_without_a_percentage_is_no_battery(percent: float) -> None:
    assert plausible(sound_but(battery=Battery(percent, False))) == sound_but(battery=None)


@pytest.mark.parametrize("watts", [-5.0, math.nan, 1e9])
def test_the_garbage_of_a_batterys_power_leaves_its_charge(watts: float) -> None:
    mended = plausible(sound_but(battery=Battery(50.0, False, watts)))

    assert mended == sound_but(battery=Battery(50.0, False, None))


NUMBERS = st.none() | st.floats()


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.floats())
def test_what_is_plausible_stays_so(
    celsius: float | None, fan: float | None, watts: float | None, limit: float | None, percent: float
) -> None:
    once = plausible(
        Reading(0, celsius, watts, fan_percent=fan, limit_slowdown_celsius=limit, battery=Battery(percent, True))
    )

    assert plausible(once) is once


# effective


@pytest.mark.parametrize(
    ("slowdown", "off", "points"),
    [
        pytest.param(93, 98, (70, 85, 95), id="a card that takes more than is configured"),
        pytest.param(83, 90, (70, 78, 88), id="both limits are lower"),
        pytest.param(83, None, (70, 78, 83), id="shutdown where it slows down, when that is all it says"),
        pytest.param(None, 90, (70, 83, 88), id="only where it turns itself off"),
        pytest.param(95, 80, (68, 73, 78), id="critical stays under a low shutdown, although it says otherwise"),
        pytest.param(70, 75, (60, 65, 73), id="the warning is pushed down, too"),
        pytest.param(90, 97, (70, 85, 95), id="exactly the configured points"),
    ],
)
def test_the_devices_own_limits_lower_the_points(
    slowdown: float | None, off: float | None, points: tuple[float, float, float]
) -> None:
    lowered = effective(TRIPS, reading(60, limit_slowdown_celsius=slowdown, limit_shutdown_celsius=off))

    assert (lowered.warning, lowered.critical, lowered.shutdown) == points
    assert lowered.hysteresis == TRIPS.hysteresis


def test_points_configured_close_together_are_not_torn_apart() -> None:
    close = TripPoints(warning=82, critical=84, shutdown=85, hysteresis=1)

    assert effective(close, reading(60, limit_slowdown_celsius=100)) is close
    assert effective(close, reading(60, limit_shutdown_celsius=82)) == replace(
        close, warning=77, critical=79, shutdown=80
    )


@pytest.mark.parametrize("said", [None, Reading(0), reading(60, limit_slowdown_celsius=150)])
def test_without_a_lower_limit_the_points_are_the_configured_ones(said: Reading | None) -> None:
    assert effective(TRIPS, said) is TRIPS


LIMITS = st.none() | st.floats(30.1, 150)


@given(
    st.floats(30, 90),
    st.floats(0.5, 40),
    st.floats(0.5, 40),
    LIMITS,
    LIMITS,
)
def test_points_are_only_ever_lowered_and_keep_their_order(
    warning: float, to_critical: float, to_shutdown: float, slowdown: float | None, off: float | None
) -> None:
    trips = TripPoints(warning, warning + to_critical, warning + to_critical + to_shutdown)
    lowered = effective(trips, reading(None, limit_slowdown_celsius=slowdown, limit_shutdown_celsius=off))

    assert lowered.warning < lowered.critical < lowered.shutdown
    assert lowered.warning <= trips.warning
    assert lowered.critical <= trips.critical
    assert lowered.shutdown <= trips.shutdown
    assert slowdown is None or lowered.critical <= slowdown - 5
    assert off is None or lowered.shutdown <= off - 2
    assert off is not None or slowdown is None or lowered.shutdown <= slowdown


# next_state, by example


@pytest.mark.parametrize(
    ("celsius", "state"),
    [(-40, NOMINAL), (69.9, NOMINAL), (70, WARNING), (84.9, WARNING), (85, CRITICAL), (95, SHUTDOWN), (150, SHUTDOWN)],
)
def test_hotter_is_a_hotter_state_at_once(celsius: float, state: ThermalState) -> None:
    assert after(NOMINAL, celsius, seconds=0) is state
    assert after(UNKNOWN, celsius, seconds=0) is state


@pytest.mark.parametrize(
    ("state", "celsius", "then"),
    [
        (WARNING, 65, WARNING),
        (WARNING, 64.9, NOMINAL),
        (CRITICAL, 80, CRITICAL),
        (CRITICAL, 79.9, WARNING),
        (CRITICAL, 66, WARNING),
        (CRITICAL, 64.9, NOMINAL),
        (SHUTDOWN, 90, SHUTDOWN),
        (SHUTDOWN, 89.9, CRITICAL),
        (SHUTDOWN, 30, NOMINAL),
    ],
)
def test_a_state_is_left_under_its_point_by_the_hysteresis(
    state: ThermalState, celsius: float, then: ThermalState
) -> None:
    assert after(state, celsius) is then


def test_a_hysteresis_wider_than_the_points_are_apart_raises_no_state() -> None:
    wide = replace(TRIPS, hysteresis=20)

    assert next_state(WARNING, 0.0, reading(69), wide, 1000.0, DWELL) is WARNING
    assert next_state(CRITICAL, 0.0, reading(80), wide, 1000.0, DWELL) is CRITICAL


@pytest.mark.parametrize("state", [WARNING, CRITICAL, SHUTDOWN])
def test_a_state_lasts_for_the_dwell_time_before_a_cooler_one(state: ThermalState) -> None:
    assert after(state, 20, seconds=DWELL - 0.01) is state
    assert after(state, 20, seconds=DWELL) is NOMINAL


@pytest.mark.parametrize("state", LADDER)
@pytest.mark.parametrize("nothing", [None, Reading(0.0), reading(None, watts=5.0, throttling=False)])
def test_nothing_known_is_unknown_at_once(state: ThermalState, nothing: Reading | None) -> None:
    assert next_state(state, 0.0, nothing, TRIPS, 0.0, DWELL) is UNKNOWN


def test_throttling_is_critical_at_least() -> None:
    assert after(NOMINAL, 40, seconds=0, throttling=True) is CRITICAL
    assert after(UNKNOWN, None, seconds=0, throttling=True) is CRITICAL
    assert after(CRITICAL, 40, throttling=True) is CRITICAL
    assert after(WARNING, 96, throttling=True) is SHUTDOWN
    assert after(SHUTDOWN, 40, throttling=True) is CRITICAL


def test_when_throttling_ends_the_temperature_says_what_is_next() -> None:
    assert after(CRITICAL, 72, throttling=False, seconds=9) is CRITICAL
    assert after(CRITICAL, 72, throttling=False) is WARNING


def test_a_zone_that_nobody_has_seen_cooler_stays_shut_down_while_it_throttles() -> None:
    assert after(SHUTDOWN, None, throttling=True) is SHUTDOWN


def test_a_device_that_sleeps_is_cold() -> None:
    assert after(UNKNOWN, None, seconds=0, asleep=True) is NOMINAL
    assert after(NOMINAL, None, asleep=True) is NOMINAL
    assert after(CRITICAL, None, asleep=True) is NOMINAL


def test_also_sleep_waits_for_the_dwell_time() -> None:
    assert after(CRITICAL, None, seconds=9.9, asleep=True) is CRITICAL


def test_a_temperature_counts_more_than_sleep() -> None:
    assert after(NOMINAL, 90, asleep=True) is CRITICAL


def test_throttling_counts_more_than_sleep() -> None:
    assert after(NOMINAL, None, asleep=True, throttling=True) is CRITICAL


@pytest.mark.parametrize(
    ("celsius", "seconds", "then"),
    [(75, 9.9, NOMINAL), (75, 10, WARNING), (85, 0.1, CRITICAL), (95, 0.1, SHUTDOWN), (40, 0.1, NOMINAL)],
)
def test_a_zone_that_has_just_cooled_down_is_warned_of_later_but_never_of_danger(
    celsius: float, seconds: float, then: ThermalState
) -> None:
    said = reading(celsius)

    assert next_state(NOMINAL, 100.0, said, TRIPS, 100 + seconds, DWELL, cooled_at=100.0) is then


def test_a_zone_that_has_just_cooled_down_is_critical_at_once_when_it_throttles() -> None:
    said = reading(40, throttling=True)

    assert next_state(NOMINAL, 100.0, said, TRIPS, 100.1, DWELL, cooled_at=100.0) is CRITICAL


def test_no_dwell_time_is_no_wait() -> None:
    assert next_state(CRITICAL, 5.0, reading(20), TRIPS, 5.0, 0.0) is NOMINAL


# next_state, as laws

CELSIUS = st.floats(20, 110)
READINGS = st.none() | st.builds(
    Reading,
    st.just(0.0),
    st.none() | CELSIUS,
    throttling=st.sampled_from([None, False, False, True]),
    asleep=st.sampled_from([False, False, False, True]),
)
STEPS = st.floats(0.1, 6)


def drive(
    state: ThermalState,
    steps: Iterable[tuple[float, Reading | None]],
    trips: TripPoints = TRIPS,
    *,
    patient: bool = False,
) -> list[tuple[float, ThermalState, ThermalState]]:
    """The changes: when, from and to. With patience a warning waits, too, after a zone has cooled down."""
    changes = []
    now = since = 0.0
    cooled_at = -math.inf
    for step, said in steps:
        now += step
        then = next_state(state, since, said, trips, now, DWELL, cooled_at)
        if then is not state:
            changes.append((now, state, then))
            cooled_at = now if patient and then is NOMINAL and is_down(state, then) else cooled_at
            state, since = then, now
    return changes


def is_down(before: ThermalState, then: ThermalState) -> bool:
    return before in LADDER and then in LADDER and LADDER.index(then) < LADDER.index(before)


@given(st.sampled_from(ThermalState), st.lists(st.tuples(STEPS, READINGS), max_size=60))
def test_a_step_down_comes_the_dwell_time_after_any_other_change(
    state: ThermalState, steps: list[tuple[float, Reading | None]]
) -> None:
    last = 0.0
    for now, before, then in drive(state, steps):
        assert not is_down(before, then) or now - last >= DWELL
        last = now


@given(st.sampled_from(LADDER), st.lists(st.tuples(STEPS, st.builds(reading, CELSIUS)), max_size=60))
def test_no_state_is_entered_twice_within_the_dwell_time(
    state: ThermalState, steps: list[tuple[float, Reading]]
) -> None:
    entered: dict[ThermalState, float] = {}
    for now, _, then in drive(state, steps):
        assert now - entered.get(then, -math.inf) >= DWELL
        entered[then] = now


@given(st.sampled_from(ThermalState), st.lists(st.tuples(STEPS, READINGS), max_size=60))
def test_with_patience_only_what_safety_asks_for_comes_sooner_than_the_dwell_time(
    state: ThermalState, steps: list[tuple[float, Reading | None]]
) -> None:
    changes = drive(state, steps, patient=True)
    for (before, *states), (now, _, then) in pairwise(changes):
        if now - before < DWELL and UNKNOWN not in (*states, then):
            assert then in (CRITICAL, SHUTDOWN)


@given(
    st.sampled_from([TRIPS.warning, TRIPS.critical, TRIPS.shutdown]),
    st.lists(st.tuples(st.floats(0.1, 30), st.floats(-4.99, 4.99)), max_size=60),
)
def test_a_wobble_smaller_than_the_hysteresis_changes_the_state_once(
    trip: float, wobble: list[tuple[float, float]]
) -> None:
    """Beside the change out of unknown."""
    assert len(drive(UNKNOWN, [(step, reading(trip + off)) for step, off in wobble])) <= 2


@given(st.lists(st.tuples(st.floats(0.1, 1), st.floats(-20, 0.8), st.integers(1, 40)), max_size=30))
def test_changes_are_the_dwell_time_apart_where_the_hysteresis_is_more_than_a_rise_in_it(
    slopes: list[tuple[float, float, int]],
) -> None:
    """The law that an operator sets the hysteresis by. Here 0.8 degrees a second at most, so 8 in the dwell time."""
    celsius, steps = 60.0, []
    for step, per_second, count in slopes:
        for _ in range(count):
            celsius = max(20.0, celsius + per_second * step)
            steps.append((step, reading(celsius)))
    last = -math.inf
    for now, *_ in drive(NOMINAL, steps, replace(TRIPS, hysteresis=9)):
        assert now - last >= DWELL
        last = now


@given(
    st.sampled_from(ThermalState), CELSIUS, CELSIUS, st.floats(0, 30), st.booleans(), st.floats(0, 20), st.floats(0, 20)
)
def test_hotter_is_never_a_cooler_state(
    state: ThermalState, one: float, other: float, seconds: float, throttling: bool, hysteresis: float, dwell: float
) -> None:
    trips = replace(TRIPS, hysteresis=hysteresis)
    cooler, hotter = (
        next_state(state, 0.0, reading(celsius, throttling=throttling), trips, seconds, dwell)
        for celsius in sorted((one, other))
    )

    assert LADDER.index(cooler) <= LADDER.index(hotter)


@given(st.sampled_from(ThermalState), st.floats(0, 30), READINGS)
def test_a_zone_is_never_in_a_cooler_state_than_its_reading_says(
    state: ThermalState, seconds: float, said: Reading | None
) -> None:
    then = next_state(state, 0.0, said, TRIPS, seconds, DWELL)

    if said is None or then is UNKNOWN:
        return
    if said.throttling:
        assert then in (CRITICAL, SHUTDOWN)
    if said.celsius is not None:
        reached = sum(said.celsius >= trip for trip in (TRIPS.warning, TRIPS.critical, TRIPS.shutdown))
        assert LADDER.index(then) >= reached


@given(st.sampled_from(ThermalState), st.floats(0, 30), READINGS)
def test_unknown_is_what_nothing_is_known_of_and_nothing_else(
    state: ThermalState, seconds: float, said: Reading | None
) -> None:
    known = said is not None and (said.celsius is not None or said.throttling is True or said.asleep)

    assert (next_state(state, 0.0, said, TRIPS, seconds, DWELL) is UNKNOWN) is not known
