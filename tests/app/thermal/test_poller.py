"""One sensor, read now and again."""

from __future__ import annotations

import math
import threading
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


def test_it_is_due_at_first_and_when_its_interval_is_over() -> None:
    poller = Polled(idle_seconds=10).poller

    assert [poller.due(now) for now in (3.0, 3.1, 9.9, 10.0, 10.1, 27.0)] == [True, False, False, True, False, True]


def test_all_of_one_interval_are_due_together_whenever_they_began() -> None:
    early, late = Polled(idle_seconds=10).poller, Polled(idle_seconds=10).poller
    early.due(1.0)
    late.due(7.0)

    assert early.next_at == late.next_at == 10.0


def test_work_makes_it_due_without_waiting_out_the_long_interval() -> None:
    poller = Polled(idle_seconds=3600, busy_seconds=1).poller
    poller.due(3.0)
    poller.pace(busy=True)

    assert poller.hurries
    assert poller.due(3.1)
    assert not poller.hurries
    assert poller.next_at == 4.0


def test_the_pace_of_rest_is_the_long_interval() -> None:
    poller = Polled(idle_seconds=20, busy_seconds=2).poller
    assert poller.interval_seconds == 20
    poller.pace(busy=True)
    assert poller.interval_seconds == 2
    poller.pace(busy=False)
    assert poller.interval_seconds == 20


def test_the_same_pace_again_is_no_reason_to_read() -> None:
    poller, hurried = Polled(idle_seconds=20, busy_seconds=2).poller, []
    for busy in (True, True, False, False, True):
        poller.due(30.0)
        poller.pace(busy=busy)
        hurried.append(poller.hurries)

    assert hurried == [True, False, False, False, True]


def test_stopping_closes_the_sensor_once_and_ends_the_reading() -> None:
    polled = Polled()
    polled.poller.stop()
    polled.poller.stop()
    polled.poller.read()

    assert polled.sensor.closed_by == [threading.current_thread().name]
    assert polled.sensor.begun == 0
    assert not polled.poller.due(1e9)


def test_stopping_does_not_wait_for_a_sensor_that_hangs_and_its_reader_closes_it() -> None:
    polled = Polled()
    polled.sensor.gate.clear()
    reader = threading.Thread(target=polled.poller.read, name="reader")
    reader.start()
    polled.sensor.until_begun(1)

    polled.poller.stop()

    assert (reader.is_alive(), polled.sensor.closed_by) == (True, [])
    polled.sensor.gate.set()
    reader.join(5)
    assert polled.sensor.closed_by == ["reader"]


def test_a_sensor_that_hangs_leaves_what_it_said_before_and_is_not_due() -> None:
    polled = Polled()
    polled.read({"celsius": 50.0})
    polled.sensor.gate.clear()
    reader = threading.Thread(target=polled.poller.read)
    reader.start()
    polled.sensor.until_begun(2)

    assert polled.poller.reading == Reading(100.0, celsius=50.0)
    assert polled.poller.lost is None
    assert polled.poller.reads
    assert not polled.poller.due(1e9)
    polled.sensor.gate.set()
    reader.join(5)


def test_it_is_never_read_by_two_at_once() -> None:
    polled = Polled()
    polled.sensor.gate.clear()
    both = [threading.Thread(target=polled.poller.read) for _ in range(2)]
    for each in both:
        each.start()
    polled.sensor.until_begun(1)
    both[1].join(0.05)  # as long as it takes to see nothing happen
    assert polled.sensor.begun == 1

    polled.sensor.gate.set()
    for each in both:
        each.join(5)
    assert polled.sensor.reads == 2


class Stubborn(ScriptedSensor):
    """One that can be cut short."""

    def interrupt(self) -> None:
        self.gate.set()


def test_stopping_cuts_a_reading_short_that_can_be() -> None:
    stubborn = Stubborn(ScriptedSensorSettings())
    stubborn.gate.clear()
    poller = Poller(stubborn, stubborn.settings, FakeClock())
    reader = threading.Thread(target=poller.read)
    reader.start()
    stubborn.until_begun(1)

    poller.stop()

    reader.join(5)
    assert stubborn.closed_by == [reader.name]
