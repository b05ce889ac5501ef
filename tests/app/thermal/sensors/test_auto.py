"""All that a machine has, as one sensor."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.domain.backend import Hardware
from app.domain.thermal import Battery, Reading
from app.thermal.sensor import SensorLostError, SensorSettings, Surroundings
from app.thermal.sensors.auto import AutoSensor, AutoSettings
from app.thermal.sensors.rapl import RaplSettings
from app.thermal.sensors.replay import ReplaySettings
from tests.app.thermal.machines import bare, hwmon, laptop, rapl, workstation
from tests.fakes.sysfs import plant, uproot


@contextmanager
def auto(root: Path, *hardware: Hardware) -> Iterator[AutoSensor]:
    sensor = AutoSensor(AutoSettings(root=root), Surroundings("zone", hardware=frozenset(hardware)))
    try:
        yield sensor
    finally:
        sensor.close()


def test_nothing_is_looked_at_before_it_is_read(tmp_path: Path) -> None:
    with auto(tmp_path / "nowhere", Hardware.CPU):
        """Built, and closed again."""


def test_a_laptops_cpu_is_told_by_all_that_knows_of_it(tmp_path: Path) -> None:
    with auto(laptop(tmp_path), Hardware.CPU) as sensor:
        reading = sensor.read(1.0)

    assert (reading.at, reading.celsius, reading.limit_slowdown_celsius, reading.joules) == (1.0, 61.0, 100.0, 7.0)
    assert reading.memory_total_bytes is not None
    assert reading.battery == Battery(75.0, plugged=False, watts=8.5)


def test_watts_come_from_the_energy_between_two_readings(tmp_path: Path) -> None:
    root = laptop(tmp_path)
    with auto(root, Hardware.CPU) as sensor:
        first = sensor.read(1.0)
        plant(root, rapl("0", "package-0", 37_000_000))
        second = sensor.read(3.0)

    assert (first.watts, second.watts, second.joules) == (None, 15.0, 37.0)


def test_a_graphics_card_is_told_by_its_own_chip(tmp_path: Path) -> None:
    with auto(workstation(tmp_path), Hardware.AMD) as sensor:
        reading = sensor.read(1.0)

    assert (reading.celsius, reading.watts, reading.utilisation, reading.fan_percent) == (66.0, 180.0, 0.75, 50.0)
    assert (reading.limit_slowdown_celsius, reading.limit_shutdown_celsius) == (100.0, 105.0)


def test_a_card_that_sleeps_is_left_asleep(tmp_path: Path) -> None:
    with auto(workstation(tmp_path, asleep=True), Hardware.AMD) as sensor:
        reading = sensor.read(1.0)

    assert reading == Reading(1.0, asleep=True)


def test_a_zone_in_the_cloud_knows_only_the_battery(tmp_path: Path) -> None:
    with auto(laptop(tmp_path), Hardware.CLOUD) as sensor:
        assert sensor.read(1.0) == Reading(1.0, battery=Battery(75.0, plugged=False, watts=8.5))


def test_a_part_that_is_lost_leaves_the_others_and_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = laptop(tmp_path)
    with auto(root, Hardware.CPU) as sensor, caplog.at_level(logging.INFO):
        sensor.read(1.0)
        plant(root, {"class/powercap/intel-rapl:0/energy_uj": "?"})
        without = [sensor.read(instant) for instant in (2.0, 3.0, 3.5)]
        plant(root, rapl("0", "package-0", 8_000_000))
        back = sensor.read(4.0)

    assert [(reading.celsius, reading.joules) for reading in without] == [(61.0, None)] * 3
    assert back.joules is not None
    assert [record.message for record in caplog.records] == [
        "zone zone: auto does without rapl: RAPL's package-0 says nothing of its energy",
        "zone zone: auto has rapl back",
    ]


def test_all_lost_says_why_each_is(tmp_path: Path) -> None:
    root = plant(tmp_path, hwmon(0, "amdgpu", "0000:03:00.0", temp1_input="?"))
    with auto(root, Hardware.AMD) as sensor, pytest.raises(SensorLostError, match=r"^hwmon: amdgpu says nothing$"):
        sensor.read(1.0)


def test_a_machine_that_has_nothing_of_it_says_so(tmp_path: Path) -> None:
    with auto(bare(tmp_path / "sys"), Hardware.AMD) as sensor, pytest.raises(SensorLostError) as refused:
        sensor.read(1.0)

    assert refused.value.message == "nothing here measures what the zone consists of (amd)"


class Cupboard:
    """What is found, which a test can change, and how often somebody looked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.looked = 0
        self.found: list[SensorSettings] = []
        self.sensor = AutoSensor(AutoSettings(), Surroundings("zone"), find=self.find)

    def find(self, root: Path, hardware: Iterable[Hardware]) -> list[SensorSettings]:
        self.looked += 1
        return self.found

    def part(self, name: str, text: str, **keys: float) -> SensorSettings:
        """A recording with these rows."""
        file = self.folder / f"{name}.csv"
        file.write_text(text)
        return ReplaySettings(file=file, loop=False, **keys)


@pytest.fixture
def cupboard(tmp_path: Path) -> Cupboard:
    return Cupboard(tmp_path)


def test_it_looks_once_where_something_tells_a_temperature(cupboard: Cupboard) -> None:
    cupboard.found = [cupboard.part("a", "seconds,celsius\n0,40\n")]
    for instant in (0.0, 100.0, 200.0):
        cupboard.sensor.read(instant)

    assert cupboard.looked == 1


def test_it_looks_once_a_minute_while_nothing_tells_a_temperature(cupboard: Cupboard) -> None:
    for instant in (0.0, 1.0, 59.0, 60.0, 61.0, 119.0, 120.0):
        with pytest.raises(SensorLostError):
            cupboard.sensor.read(instant)

    assert cupboard.looked == 3


def test_what_comes_later_is_found_and_what_was_there_goes_on(cupboard: Cupboard) -> None:
    load = cupboard.part("load", "seconds,utilisation\n0,0.1\n70,0.7\n")
    cupboard.found = [load]
    cupboard.sensor.read(0.0)

    cupboard.found = [load, cupboard.part("heat", "seconds,celsius\n0,40\n")]
    reading = cupboard.sensor.read(70.0)

    assert (reading.celsius, reading.utilisation) == (40.0, 0.7)


def test_what_has_gone_for_good_is_not_asked_again(cupboard: Cupboard) -> None:
    cupboard.found = [cupboard.part("load", "seconds,utilisation\n0,0.1\n")]
    cupboard.sensor.read(0.0)
    cupboard.found = []

    with pytest.raises(SensorLostError, match="nothing here measures"):
        cupboard.sensor.read(60.0)


def test_another_counter_that_steps_in_makes_no_leap_of_energy(cupboard: Cupboard) -> None:
    """The first stops to count at 20 s; the second counts from another start."""
    cupboard.found = [
        cupboard.part("a", "seconds,celsius,joules\n0,40,100\n10,40,130\n20,40,\n"),
        cupboard.part("b", "seconds,joules\n0,90000\n20,90010\n30,90025\n"),
    ]

    assert [cupboard.sensor.read(instant).joules for instant in (0.0, 10.0, 20.0, 30.0)] == [100, 130, 130, 145]


def test_a_part_that_changes_slowly_is_asked_at_its_own_pace(cupboard: Cupboard) -> None:
    quick = cupboard.part("quick", "seconds,celsius\n0,40\n0.1,41\n2,42\n5,45\n")
    slow = cupboard.part("slow", "seconds,utilisation\n0,0.0\n0.1,0.1\n2,0.2\n5,0.5\n", busy_seconds=5)
    cupboard.found = [quick, slow]
    readings = [cupboard.sensor.read(instant) for instant in (8.0, 8.125, 10.0, 13.0)]

    assert [reading.celsius for reading in readings] == [40, 41, 42, 45]
    assert [reading.utilisation for reading in readings] == [0.0, 0.0, 0.0, 0.5]
    assert [reading.at for reading in readings] == [8.0, 8.125, 10.0, 13.0]


def test_nothing_stays_open(tmp_path: Path) -> None:
    root, before = laptop(tmp_path), set(Path("/proc/self/fd").iterdir())
    with auto(root, Hardware.CPU, Hardware.NPU) as sensor:
        sensor.read(1.0)
        assert set(Path("/proc/self/fd").iterdir()) != before

    assert set(Path("/proc/self/fd").iterdir()) == before


def test_what_is_found_no_more_is_closed(cupboard: Cupboard, tmp_path: Path) -> None:
    root, before = plant(tmp_path, rapl("0", "package-0", 1)), set(Path("/proc/self/fd").iterdir())
    cupboard.found = [RaplSettings(root=root)]
    cupboard.sensor.read(0.0)
    cupboard.found = [cupboard.part("heat", "seconds,celsius\n0,40\n")]

    assert cupboard.sensor.read(60.0).celsius == 40
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_after_closing_it_begins_anew(tmp_path: Path) -> None:
    root = laptop(tmp_path)
    with auto(root, Hardware.CPU) as sensor:
        sensor.read(1.0)
        sensor.close()
        uproot(root, "class/hwmon/hwmon1")

        assert sensor.read(2.0).celsius == 27.8
