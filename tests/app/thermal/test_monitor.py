"""All zones as they stand, behind one attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.thermal import FanPoints, ThermalState, TripPoints, Zone
from app.thermal.monitor import Monitor
from app.thermal.poller import Poller
from app.thermal.sensor import Surroundings
from app.thermal.sensors.simulated import SimulatedSensor, SimulatedSettings
from app.thermal.watched import WatchedZone, ZonePlan
from tests.fakes.clock import FakeClock
from tests.fakes.sensor import ScriptedSensor, sensor


class House:
    """Zones of those names, each with a scripted sensor, or a simulated one."""

    def __init__(self, *names: str, simulated: bool = False) -> None:
        self.clock = FakeClock()
        self.sensors: dict[str, Any] = {}
        self.busy: set[str] = set()
        self.monitor = Monitor([self._watch(name, simulated) for name in names], self.busy.__contains__)

    def _watch(self, name: str, simulated: bool) -> WatchedZone:
        made: ScriptedSensor | SimulatedSensor
        if simulated:
            settings = SimulatedSettings(celsius=40)
            made = SimulatedSensor(settings, Surroundings(name))
            poller = Poller(made, settings, self.clock)
        else:
            made = sensor(busy_seconds=1, idle_seconds=9)
            poller = Poller(made, made.settings, self.clock)
        self.sensors[name] = made
        return WatchedZone(ZonePlan(name, TripPoints(), FanPoints()), [poller], self.clock())

    def measure(self, **celsius: float) -> None:
        for name, value in celsius.items():
            self.sensors[name].says = {"celsius": value}
            self.monitor.watched[name].pollers[0].read()

    def look(self, after: float = 0.25, **celsius: float) -> Mapping[str, Zone]:
        self.clock.advance(after)
        self.measure(**celsius)
        self.monitor.look(self.clock())
        return self.monitor.zones


def test_every_zone_is_there_from_the_start_in_the_order_it_came_in() -> None:
    zones = House("soc", "gpu", "npu").monitor.zones

    assert list(zones) == ["soc", "gpu", "npu"]
    assert {zone.state for zone in zones.values()} == {ThermalState.UNKNOWN}


def test_a_look_takes_in_what_was_measured() -> None:
    zones = House("soc", "gpu").look(soc=40, gpu=90)

    assert [zone.state for zone in zones.values()] == [ThermalState.NOMINAL, ThermalState.CRITICAL]


def test_a_snapshot_is_the_same_while_nothing_changes() -> None:
    house = House("soc", "gpu")
    before = house.look(soc=40, gpu=75)

    assert house.look() is before
    assert house.look() is before


def test_a_change_makes_a_new_snapshot_and_leaves_the_old_one_as_it_was() -> None:
    house = House("soc", "gpu")
    before = house.look(soc=40, gpu=40)
    after = house.look(gpu=90)

    assert after is not before
    assert before["gpu"].state is ThermalState.NOMINAL
    assert after["gpu"].state is ThermalState.CRITICAL
    assert after["soc"] is before["soc"]


def test_nobody_can_change_a_snapshot() -> None:
    zones: Any = House("soc").monitor.zones

    with pytest.raises(TypeError):
        zones["soc"] = None


def test_reading_the_snapshot_is_one_attribute_and_takes_no_lock() -> None:
    """A sensor that hangs in its own lock keeps nobody from reading."""
    house = House("soc")
    poller = house.monitor.watched["soc"].pollers[0]

    assert "zones" in vars(house.monitor)
    with poller._one_at_a_time:
        assert house.monitor.zones["soc"].state is ThermalState.UNKNOWN
        house.monitor.look(house.clock())


def test_only_the_busy_zone_is_watched_closely() -> None:
    house = House("soc", "gpu")
    house.busy.add("gpu")
    house.look(soc=40, gpu=40)

    intervals = {name: each.pollers[0].interval_seconds for name, each in house.monitor.watched.items()}
    assert intervals == {"soc": 9, "gpu": 1}


def test_a_simulated_zone_measures_what_it_is_told_at_once() -> None:
    house = House("soc", simulated=True)
    house.monitor.look(house.clock())
    house.clock.advance(1)

    house.monitor.hold("soc", {"celsius": 91.0}, house.clock())

    assert house.monitor.zones["soc"].celsius == 91.0
    assert house.monitor.zones["soc"].state is ThermalState.CRITICAL


def test_a_measured_zone_can_not_be_told_what_to_measure() -> None:
    house = House("soc")

    with pytest.raises(LookupError, match="zone 'soc' is measured"):
        house.monitor.hold("soc", {"celsius": 91.0}, house.clock())
    with pytest.raises(LookupError):
        house.monitor.hold("nothing", {"celsius": 91.0}, house.clock())


def test_without_zones_there_is_nothing_to_see() -> None:
    house = House()

    assert house.look() == {}
