"""One zone with its sensors: what they measure becomes its state, its curve and its forecast."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from app.domain.thermal import FanPoints, Forecast, Reading, ThermalState, TripPoints
from app.thermal.poller import Poller
from app.thermal.sensor import SensorLostError
from app.thermal.watched import WatchedZone, ZonePlan
from tests.fakes.clock import FakeClock
from tests.fakes.sensor import ScriptedSensor, sensor

GONE = SensorLostError("the device is gone")


class Watch:
    """A zone with scripted sensors that are read only when a test says so; stale after 15 s, 10 s of dwell."""

    def __init__(self, sensors: int = 1, **plan: Any) -> None:
        self.clock = FakeClock(1000.0)
        self.sensors: list[ScriptedSensor] = [sensor(busy_seconds=1, idle_seconds=9) for _ in range(sensors)]
        pollers = [Poller(each, each.settings, self.clock) for each in self.sensors]
        told = {"trips": TripPoints(), "fans": FanPoints(), **plan}
        self.watched = WatchedZone(ZonePlan("gpu", **told), pollers, self.clock())

    def measure(self, *says: Any) -> None:
        """Each sensor says its own; None hangs."""
        for each, poller, said in zip(self.sensors, self.watched.pollers, says, strict=True):
            if said is not None:
                each.says = said
                poller.read()

    def look(self, *says: Any, after: float = 0.0, busy: bool = False) -> bool:
        """So much later; whether that made another zone."""
        self.clock.advance(after)
        if says:
            self.measure(*says)
        return self.watched.look(self.clock(), busy=busy)

    @property
    def state(self) -> ThermalState:
        return self.watched.zone.state

    def intervals(self) -> list[float]:
        return [poller.interval_seconds for poller in self.watched.pollers]


def heat(celsius: float, **more: Any) -> dict[str, Any]:
    return {"celsius": celsius, **more}


def test_before_anything_was_measured_it_is_unknown() -> None:
    watch = Watch(avoid_unknown=True, fans=FanPoints(quiet=20))

    assert not watch.look()
    zone = watch.watched.zone
    assert (zone.id, zone.state, zone.since, zone.reading) == ("gpu", ThermalState.UNKNOWN, 1000.0, None)
    assert (zone.trips, zone.fans, zone.avoid_unknown) == (TripPoints(), FanPoints(quiet=20), True)


def test_a_zone_without_sensors_stays_unknown() -> None:
    watch = Watch(sensors=0)

    assert not watch.look(after=100)
    assert watch.state is ThermalState.UNKNOWN
    assert watch.watched.settled()


@pytest.mark.parametrize(
    ("celsius", "state"),
    [
        (40, ThermalState.NOMINAL),
        (70, ThermalState.WARNING),
        (85, ThermalState.CRITICAL),
        (95, ThermalState.SHUTDOWN),
    ],
)
def test_what_is_measured_makes_its_state(celsius: float, state: ThermalState) -> None:
    watch = Watch()

    assert watch.look(heat(celsius), after=1)
    assert (watch.state, watch.watched.zone.since) == (state, 1001.0)
    assert watch.watched.zone.reading == Reading(1001.0, celsius=celsius)


def test_since_is_when_it_entered_its_state() -> None:
    watch = Watch()
    watch.look(heat(40))
    watch.look(heat(45), after=5)
    assert watch.watched.zone.since == 1000.0

    watch.look(heat(75), after=5)
    assert watch.watched.zone.since == 1010.0


def test_the_hottest_of_its_sensors_counts() -> None:
    watch = Watch(sensors=2)
    watch.look(heat(40), heat(75))

    assert (watch.state, watch.watched.zone.celsius) == (ThermalState.WARNING, 75)


def test_the_limits_of_the_device_move_its_trip_points() -> None:
    watch = Watch()
    watch.look(heat(79, limit_slowdown_celsius=83.0))

    assert watch.watched.zone.trips.critical == 78.0
    assert watch.state is ThermalState.CRITICAL


def test_when_nothing_has_changed_it_is_the_same_zone() -> None:
    watch = Watch()
    watch.look(heat(40))
    before = watch.watched.zone

    assert not watch.look(after=0.25)
    assert not watch.look(after=0.25)
    assert watch.watched.zone is before


def test_a_warm_zone_in_which_nothing_has_changed_is_the_same_too() -> None:
    watch = Watch()
    watch.look(heat(75))
    before = watch.watched.zone

    assert not watch.look(after=0.25)
    assert watch.watched.zone is before


def test_a_newer_reading_makes_a_new_zone_though_it_says_the_same() -> None:
    watch = Watch()
    watch.look(heat(40))

    assert watch.look(heat(40), after=1)
    assert watch.watched.zone.reading == Reading(1001.0, celsius=40)


def test_its_dwell_expires_without_a_new_reading() -> None:
    watch = Watch(dwell_seconds=10)
    watch.look(heat(75))
    watch.look(heat(50), after=1)
    states = [watch.state]

    assert not watch.look(after=8.75)
    assert watch.look(after=0.25)
    assert [*states, watch.state] == [ThermalState.WARNING, ThermalState.NOMINAL]


def test_readings_that_are_stale_make_it_unknown_and_not_what_it_was_last() -> None:
    watch = Watch(stale_after_seconds=15)
    watch.look(heat(75))

    assert not watch.look(after=15)
    assert watch.look(after=0.25)
    zone = watch.watched.zone
    assert (zone.state, zone.reading, zone.celsius, zone.headroom) == (ThermalState.UNKNOWN, None, None, None)
    assert watch.watched.metered() == (None, None)


def test_an_unknown_zone_has_no_forecast() -> None:
    watch = Watch()
    for second in range(12):
        watch.look(heat(40 + 2 * second), after=1)
    assert watch.watched.zone.forecast is not None

    watch.look(after=16)
    watch.look(after=16)
    assert watch.watched.zone.forecast is None
    assert watch.watched.zone.headroom_in(10) is None


def test_a_device_that_fell_asleep_has_no_forecast_either() -> None:
    watch = Watch()
    for second in range(12):
        watch.look(heat(40 + 2 * second), after=1)
    watch.look({"asleep": True}, after=1)

    assert (watch.state, watch.watched.zone.forecast) == (ThermalState.NOMINAL, None)


def test_what_one_sensor_says_no_more_another_may_still_know() -> None:
    watch = Watch(sensors=2, stale_after_seconds=15)
    watch.look(heat(75), heat(40))
    watch.look(None, heat(41), after=16)

    assert (watch.state, watch.watched.zone.celsius) == (ThermalState.NOMINAL, 41)


def test_it_is_known_again_at_once() -> None:
    watch = Watch()
    watch.look(heat(75))
    watch.look(after=16)
    watch.look(heat(90), after=1)

    assert watch.state is ThermalState.CRITICAL


def test_a_change_of_state_is_told_once_and_a_grave_one_as_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    watch = Watch()
    for celsius in (40, 41, 90, 91):
        watch.look(heat(celsius), after=1)
    watch.look(after=16)
    watch.look(after=16)

    states = [record for record in caplog.records if "->" in record.message]
    assert [(record.levelname, record.getMessage()) for record in states] == [
        ("INFO", "zone gpu: unknown -> nominal, at 40 °C"),
        ("WARNING", "zone gpu: nominal -> critical, at 90 °C"),
        ("INFO", "zone gpu: critical -> unknown, at an unknown temperature"),
    ]


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """What was said of sensors."""
    said = [(record.levelname, record.getMessage()) for record in caplog.records if "sensor" in record.getMessage()]
    caplog.clear()
    return [(level, message.replace("tests.fakes.sensor:ScriptedSensor", "scripted")) for level, message in said]


def test_a_sensor_that_is_lost_says_so_once_and_once_that_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    watch = Watch()
    watch.look(heat(40))
    assert told(caplog) == []

    for _ in range(20):
        watch.look(GONE, after=1)
    assert told(caplog) == [("WARNING", "zone gpu: its sensor scripted is lost: the device is gone")]
    shown = [watch.watched.lost]

    for _ in range(5):
        watch.look(heat(40), after=1)
    assert told(caplog) == [("INFO", "zone gpu: its sensor scripted is back")]
    assert [*shown, watch.watched.lost] == [("the device is gone",), (None,)]


def test_another_reason_is_no_news_but_shown(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()
    watch.look(GONE)
    watch.look(SensorLostError("permission denied"))

    assert len(told(caplog)) == 1
    assert watch.watched.lost == ("permission denied",)


def test_a_sensor_that_hangs_is_lost_when_its_reading_is_stale(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(stale_after_seconds=15)
    watch.look(heat(40))
    watch.look(after=15)
    assert told(caplog) == []

    watch.look(after=0.25)
    watch.look(after=0.25)
    assert told(caplog) == [
        ("WARNING", "zone gpu: its sensor scripted is lost: it has said nothing for more than 15 s")
    ]


def test_a_sensor_that_hangs_from_the_start_is_lost_too(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(stale_after_seconds=15)
    watch.look(after=15)
    assert (told(caplog), watch.watched.lost) == ([], (None,))

    watch.look(after=0.25)
    watch.look(after=0.25)
    assert len(told(caplog)) == 1
    assert watch.watched.lost == ("it has said nothing for more than 15 s",)


def test_each_of_several_sensors_is_lost_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(sensors=2)
    watch.look(heat(40), GONE)

    assert watch.watched.lost == (None, "the device is gone")
    assert len(told(caplog)) == 1
    assert watch.state is ThermalState.NOMINAL


def test_it_is_settled_when_every_sensor_has_answered_well_or_not() -> None:
    watch = Watch(sensors=2)
    assert not watch.watched.settled()
    watch.measure(heat(40), None)
    assert not watch.watched.settled()
    watch.measure(None, GONE)
    assert watch.watched.settled()


@pytest.mark.parametrize(
    ("says", "busy", "interval"),
    [
        (heat(40), False, 9),
        (heat(40), True, 1),
        (heat(59.9), False, 9),
        (heat(60), False, 1),
        (heat(75), False, 1),
        (heat(40, throttling=True), False, 1),
        ({"watts": 3.0}, False, 9),
        ({"watts": 3.0}, True, 1),
        (GONE, False, 9),
    ],
    ids=str,
)
def test_it_is_watched_closely_while_it_is_busy_or_nearly_warm(says: Any, busy: bool, interval: float) -> None:
    watch = Watch(sensors=2)
    watch.look(says, says, busy=busy)

    assert watch.intervals() == [interval, interval]


def test_it_is_watched_less_closely_again_when_it_has_cooled() -> None:
    watch = Watch(dwell_seconds=0)
    watch.look(heat(75))
    watch.look(heat(40), after=1)

    assert watch.intervals() == [9]


def test_the_curve_has_every_temperature_once() -> None:
    watch = Watch()
    watch.look(heat(40))
    watch.look(after=0.25)
    watch.look({"watts": 5.0}, after=1)
    watch.look(heat(42), after=1)

    assert watch.watched.curve.samples(100) == [(1000.0, 40), (1002.25, 42)]


def test_the_forecast_is_renewed_at_most_once_a_second() -> None:
    watch = Watch()
    renewed: list[Forecast] = []
    for tick in range(81):
        watch.look(heat(40 + tick / 4), after=0.25)
        prospect = watch.watched.zone.forecast
        if prospect is not None and prospect not in renewed:
            renewed.append(prospect)

    assert len(renewed) > 10
    assert {after.at - before.at for before, after in pairwise(renewed)} == {1.0}


def test_the_forecast_goes_where_the_temperature_does() -> None:
    watch = Watch()
    for second in range(20):
        watch.look(heat(40 + second), after=1)

    until = watch.watched.zone.seconds_until_critical()
    assert until is not None
    assert 15 < until < 60


@pytest.mark.parametrize(
    ("says", "chosen"),
    [
        ([heat(40), heat(41)], None),
        ([heat(40), {"watts": 3.0}], 1),
        ([{"watts": 3.0}, {"joules": 9.0}], 1),
        ([{"watts": 3.0}, {"watts": 4.0}], 0),
        ([{"joules": 3.0}, {"joules": 4.0}], 0),
        ([{"watts": 0.0}, heat(40)], 0),
        ([{"joules": 0.0}, {"watts": 3.0}], 0),
        ([GONE, {"watts": 3.0}], 1),
    ],
)
def test_the_sensor_that_knows_most_of_the_energy_meters_it(says: list[Any], chosen: int | None) -> None:
    watch = Watch(sensors=2)
    watch.look(*says)

    reading, poller = watch.watched.metered()
    if chosen is None:
        assert (reading, poller) == (None, None)
    else:
        assert poller is watch.watched.pollers[chosen]
        assert reading is poller.reading


def test_before_the_first_look_nothing_is_metered() -> None:
    watch = Watch()
    watch.measure({"watts": 3.0})

    assert watch.watched.metered() == (None, None)


def test_a_scripted_sensor_can_not_be_told_what_to_measure() -> None:
    watch = Watch()

    assert watch.watched.settable() is None
    assert not watch.watched.hold({"celsius": 90.0})
