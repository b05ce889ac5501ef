"""One sensor, read again and again in a thread of its own."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.domain.thermal import Reading
from app.thermal.poller import Poller
from app.thermal.sensor import SensorLostError
from tests.fakes.clock import FakeClock
from tests.fakes.sensor import ScriptedSensor, ScriptedSensorSettings, sensor


class Polled:
    """A poller of a scripted sensor, which is hardly ever read of itself unless `settings` say otherwise."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock(100.0)
        self.sensor: ScriptedSensor = sensor(**settings)
        self.poller = Poller(self.sensor, self.sensor.settings, self.clock)

    def read(self, says: Any) -> None:
        self.sensor.says = says
        self.poller.read()

    def thread(self) -> threading.Thread:
        (found,) = [thread for thread in threading.enumerate() if thread.name == f"sensor {id(self)}"]
        return found

    @contextmanager
    def started(self) -> Iterator[threading.Thread]:
        """Its thread, ended at the end."""
        self.poller.start(f"sensor {id(self)}")
        thread = self.thread()
        try:
            yield thread
        finally:
            self.poller.stop()
            self.sensor.gate.set()
            thread.join(5)
            assert not thread.is_alive()


def test_a_reading_bears_the_time_at_which_it_was_asked_for() -> None:
    polled = Polled()
    polled.read({"celsius": 61.5})

    assert polled.poller.reading == Reading(100.0, celsius=61.5)
    assert polled.poller.lost is None


def test_a_sensor_that_is_lost_says_why_and_keeps_its_last_reading_for_others_to_find_stale() -> None:
    polled = Polled()
    polled.read({"celsius": 61.5})
    polled.clock.advance(5)
    polled.read(SensorLostError("the device is gone"))

    assert polled.poller.lost == "the device is gone"
    assert polled.poller.reading == Reading(100.0, celsius=61.5)


def test_a_sensor_that_is_back_is_lost_no_longer() -> None:
    polled = Polled()
    polled.read(SensorLostError("the device is gone"))
    polled.read({"celsius": 40.0})

    assert polled.poller.lost is None
    assert polled.poller.reading == Reading(100.0, celsius=40.0)


@pytest.mark.parametrize(
    "wrong",
    [RuntimeError("secret"), ZeroDivisionError(), OSError("disk"), None, "61.5", 61.5, {"celsius": "hot"}],
    ids=repr,
)
def test_a_sensor_with_a_bug_is_lost_and_asked_again(wrong: Any) -> None:
    polled = Polled()
    polled.read(wrong)

    assert polled.poller.reading is None
    assert polled.poller.lost is not None
    assert polled.poller.lost.startswith("it has a bug (")
    assert "secret" not in polled.poller.lost
    polled.read({"celsius": 40.0})
    assert polled.poller.lost is None


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -273.15, 6553.5, 999999.0])
def test_what_no_thermometer_can_mean_is_no_reading_and_the_last_one_stands(garbage: float) -> None:
    polled = Polled()
    polled.read({"celsius": 40.0})
    before = polled.poller.reading
    polled.read({"celsius": garbage, "watts": 30.0})

    assert polled.poller.reading is before
    assert polled.poller.lost is not None
    assert polled.poller.lost.startswith("it says nonsense: ")


def test_it_is_read_at_once_in_a_thread_of_that_name_which_keeps_nobody_from_ending() -> None:
    polled = Polled()
    with polled.started() as thread:
        polled.sensor.until_read(1)
        assert thread.daemon


def test_starting_twice_starts_one_thread() -> None:
    polled = Polled()
    with polled.started() as thread:
        polled.poller.start("another")

        assert "another" not in [each.name for each in threading.enumerate()]
        assert polled.thread() is thread


def test_it_is_read_again_when_its_interval_is_over() -> None:
    polled = Polled(idle_seconds=0.001)
    with polled.started():
        polled.sensor.until_read(5)


def test_work_wakes_it_without_waiting_out_the_long_interval() -> None:
    polled = Polled(idle_seconds=3600, busy_seconds=0.001)
    with polled.started():
        polled.sensor.until_read(1)
        polled.poller.pace(busy=True)
        polled.sensor.until_read(5)


def test_the_pace_of_rest_is_the_long_interval() -> None:
    polled = Polled(idle_seconds=20, busy_seconds=2)
    assert polled.poller.interval_seconds == 20
    polled.poller.pace(busy=True)
    assert polled.poller.interval_seconds == 2
    polled.poller.pace(busy=False)
    assert polled.poller.interval_seconds == 20


def test_the_same_pace_again_is_no_reason_to_read() -> None:
    polled, woken = Polled(idle_seconds=20, busy_seconds=2), []
    for busy in (True, True, False, False, True):
        polled.poller.pace(busy=busy)
        woken.append(polled.poller._wake.is_set())
        polled.poller._wake.clear()

    assert woken == [True, False, False, False, True]


def test_stopping_ends_the_thread_which_closes_the_sensor_itself() -> None:
    polled = Polled()
    with polled.started() as thread:
        polled.sensor.until_read(1)
        polled.poller.stop()
        thread.join(5)

        assert not thread.is_alive()
        assert polled.sensor.closed_by == [thread.name]


def test_one_that_was_never_started_is_closed_by_whoever_stops_it() -> None:
    polled = Polled()
    polled.poller.stop()

    assert polled.sensor.closed_by == [threading.current_thread().name]


def test_stopping_does_not_wait_for_a_sensor_that_hangs() -> None:
    polled = Polled()
    polled.sensor.gate.clear()
    with polled.started() as thread:
        polled.sensor.until_begun(1)
        polled.poller.stop()
        assert (thread.is_alive(), polled.sensor.closed_by) == (True, [])

        polled.sensor.gate.set()
        thread.join(5)
        assert polled.sensor.closed_by == [thread.name]


def test_a_sensor_that_hangs_leaves_what_it_said_before() -> None:
    polled = Polled(idle_seconds=0.001)
    with polled.started():
        polled.sensor.until_read(1)
        polled.sensor.gate.clear()
        polled.sensor.until_begun(polled.sensor.reads + 1)

        assert polled.poller.reading == Reading(100.0, celsius=50.0)
        assert polled.poller.lost is None


def test_a_sensor_that_raises_again_and_again_is_still_asked() -> None:
    polled = Polled(idle_seconds=0.001)
    polled.sensor.says = RuntimeError("a bug")
    with polled.started():
        polled.sensor.until_read(5)
        polled.sensor.says = {"celsius": 40.0}
        polled.sensor.until_read(polled.sensor.reads + 3)  # the last but one began after the change, and has ended

        assert polled.poller.reading == Reading(100.0, celsius=40.0)


def test_it_is_never_read_by_two_at_once() -> None:
    polled = Polled()
    polled.sensor.gate.clear()
    with polled.started():
        polled.sensor.until_begun(1)
        other = threading.Thread(target=polled.poller.read)
        other.start()
        other.join(0.05)  # as long as it takes to see nothing happen
        assert (other.is_alive(), polled.sensor.begun) == (True, 1)

        polled.sensor.gate.set()
        other.join(5)
        assert polled.sensor.reads == 2


class Stubborn(ScriptedSensor):
    """One that can be cut short."""

    def interrupt(self) -> None:
        self.gate.set()


def test_stopping_cuts_a_reading_short_that_can_be() -> None:
    stubborn = Stubborn(ScriptedSensorSettings())
    stubborn.gate.clear()
    poller = Poller(stubborn, stubborn.settings, FakeClock())
    poller.start("sensor that is cut short")
    stubborn.until_begun(1)
    (thread,) = [each for each in threading.enumerate() if each.name == "sensor that is cut short"]

    poller.stop()

    thread.join(5)
    assert not thread.is_alive()
