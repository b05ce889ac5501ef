"""A thermal model in place of a thermometer."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.domain.thermal import Battery, Reading
from app.thermal.sensor import Surroundings, Work
from app.thermal.sensors.simulated import SimulatedSensor, SimulatedSettings


class Bench:
    """A sensor whose zone has these backends; `busy` are the seconds that each has worked."""

    def __init__(self, watts: dict[str, float | None] | None = None, **settings: Any) -> None:
        self.watts = watts or {}
        self.busy = dict.fromkeys(self.watts, 0.0)
        self.asked: list[float] = []
        told = SimulatedSettings(ambient_celsius=20, kelvin_per_watt=0.5, time_constant_seconds=60, **settings)
        self.sensor = SimulatedSensor(told, Surroundings("gpu", work=self._work))

    def _work(self, now: float) -> tuple[Work, ...]:
        self.asked.append(now)
        return tuple(Work(name, watts, self.busy[name]) for name, watts in self.watts.items())

    def run(self, since: float, seconds: float, duty: float = 1.0, step: float = 1.0) -> Reading:
        """All backends work that share of the time; the last reading."""
        reading = self.sensor.read(since)
        for count in range(1, round(seconds / step) + 1):
            for name in self.busy:
                self.busy[name] += step * duty
            reading = self.sensor.read(since + count * step)
        return reading


def test_it_begins_at_ambient_and_stays_there_without_work() -> None:
    reading = Bench().run(0.0, 600)

    assert (reading.celsius, reading.watts, reading.joules) == (20.0, 0.0, 0.0)


def test_work_heats_it_as_newton_has_it() -> None:
    bench = Bench({"eco": 100})

    after_one_time_constant = bench.run(0.0, 60)
    assert after_one_time_constant.celsius == pytest.approx(20 + 50 * (1 - 1 / math.e))
    assert after_one_time_constant.watts == pytest.approx(100)

    assert bench.run(60.0, 600).celsius == pytest.approx(70, abs=0.01)


def test_it_cools_when_the_work_is_over() -> None:
    bench = Bench({"eco": 100})
    hot = bench.run(0.0, 1000)
    bench.watts = {}

    reading = bench.run(1000.0, 60)

    assert hot.celsius is not None
    assert reading.celsius == pytest.approx(20 + (hot.celsius - 20) / math.e)
    assert reading.watts == 0.0


def test_half_of_the_work_is_half_of_the_watts() -> None:
    assert Bench({"eco": 100}).run(0.0, 10, duty=0.5).watts == pytest.approx(50)


def test_all_backends_of_the_zone_heat_it_and_one_without_watts_heats_nothing() -> None:
    reading = Bench({"eco": 10, "max": 30, "cloud": None}).run(0.0, 10)

    assert reading.watts == pytest.approx(40)
    assert reading.joules == pytest.approx(400)


def test_idle_watts_are_drawn_all_of_the_time() -> None:
    reading = Bench({"eco": 10}, idle_watts=4).run(0.0, 10)

    assert reading.joules == pytest.approx(140)
    assert Bench(idle_watts=4).sensor.read(0.0).watts == 4


def test_work_that_was_done_before_it_looked_first_heats_nothing() -> None:
    bench = Bench({"eco": 100})
    bench.busy["eco"] = 5000.0

    assert bench.run(0.0, 1, duty=0).joules == 0.0


def test_a_backend_that_begins_anew_after_a_reload_loses_nothing_and_counts_nothing_twice() -> None:
    bench = Bench({"eco": 100})
    bench.run(0.0, 10)
    bench.busy["eco"] = 0.0
    assert bench.sensor.read(11.0).joules == pytest.approx(1000)

    bench.busy["eco"] = 5.0
    assert bench.sensor.read(16.0).joules == pytest.approx(1500)


def test_it_asks_for_the_work_until_the_very_moment_of_the_reading() -> None:
    bench = Bench()
    bench.sensor.read(12.5)

    assert bench.asked == [12.5]


def test_all_that_it_says_is_modelled() -> None:
    reading = Bench(fan_percent=30, battery_percent=80, plugged=False).sensor.read(3.0)

    assert reading == Reading(
        3.0,
        celsius=20.0,
        watts=0.0,
        joules=0.0,
        fan_percent=30.0,
        throttling=False,
        battery=Battery(80.0, plugged=False),
        modelled=True,
    )


def test_a_fixed_temperature_stays_whatever_the_work() -> None:
    assert Bench({"eco": 100}, celsius=40).run(0.0, 600).celsius == 40.0


@pytest.mark.parametrize(
    ("held", "field", "value"),
    [
        ({"celsius": 91.0}, "celsius", 91.0),
        ({"celsius": 0.0}, "celsius", 0.0),
        ({"watts": 120.0}, "watts", 120.0),
        ({"fan_percent": 0.0}, "fan_percent", 0.0),
        ({"throttling": True}, "throttling", True),
        ({"battery_percent": 12.0, "plugged": False}, "battery", Battery(12.0, plugged=False)),
    ],
)
def test_what_it_is_told_to_measure_it_measures_until_it_is_let_go(
    held: dict[str, Any], field: str, value: object
) -> None:
    bench = Bench()
    before = getattr(bench.sensor.read(0.0), field)

    bench.sensor.hold(held)
    assert getattr(bench.sensor.read(1.0), field) == value
    assert getattr(bench.sensor.read(1000.0), field) == value
    bench.sensor.hold(dict.fromkeys(held))

    assert bench.sensor.held == {}
    assert getattr(bench.sensor.read(1001.0), field) == before


def test_what_is_held_stays_when_something_else_is() -> None:
    bench = Bench()
    bench.sensor.hold({"celsius": 91.0})
    bench.sensor.hold({"throttling": True})
    bench.sensor.hold({"celsius": None})

    assert bench.sensor.held == {"throttling": True}


def test_the_model_goes_on_under_a_temperature_that_is_held() -> None:
    bench = Bench({"eco": 100})
    bench.sensor.hold({"celsius": 5.0})
    bench.run(0.0, 600)
    bench.sensor.hold({"celsius": None})

    assert bench.sensor.read(600.0).celsius == pytest.approx(70, abs=0.01)


def test_held_watts_are_counted_and_heat_in_place_of_the_work() -> None:
    bench = Bench({"eco": 10})
    bench.run(0.0, 10)
    bench.sensor.hold({"watts": 50.0})

    reading = bench.run(10.0, 1000)

    assert reading.joules == pytest.approx(100 + 50_000)
    assert reading.celsius == pytest.approx(45, abs=0.01)


def test_a_battery_appears_when_one_is_held() -> None:
    bench = Bench()
    bench.sensor.hold({"plugged": False})
    assert bench.sensor.read(0.0).battery is None

    bench.sensor.hold({"battery_percent": 15.0})
    assert bench.sensor.read(1.0).battery == Battery(15.0, plugged=False)


@given(st.floats(1, 30), st.floats(0, 300))
def test_how_often_it_is_read_makes_no_difference(step: float, watts: float) -> None:
    """Newton's law is solved, not approximated."""
    count = max(1, round(120 / step))
    often = Bench({"eco": watts}).run(0.0, 120, step=120 / count)
    once = Bench({"eco": watts}).run(0.0, 120, step=120.0)

    assert often.celsius == pytest.approx(once.celsius)
    assert often.joules == pytest.approx(once.joules)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), max_size=30))
def test_it_never_leaves_what_its_watts_can_reach_and_its_counter_never_falls(
    steps: list[tuple[float, float]],
) -> None:
    bench, now, last = Bench({"eco": 100}), 0.0, 0.0
    for seconds, duty in steps:
        now += seconds
        bench.busy["eco"] += seconds * duty
        reading = bench.sensor.read(now)
        assert reading.celsius is not None
        assert reading.joules is not None
        assert 20 - 1e-6 <= reading.celsius <= 70 + 1e-6
        assert reading.joules >= last
        last = reading.joules


def test_closing_is_harmless() -> None:
    Bench().sensor.close()


@pytest.mark.parametrize(
    "wrong", [{"celsius": 200}, {"kelvin_per_watt": 0}, {"time_constant_seconds": 0}, {"fan_percent": 101}], ids=str
)
def test_what_no_hardware_could_be_is_no_setting(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SimulatedSettings.model_validate(wrong)
