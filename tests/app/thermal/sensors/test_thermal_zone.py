"""Thermal zones of the kernel's, as real trees of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.thermal import Reading
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.thermal_zone import ThermalZoneSensor, ThermalZoneSettings, find
from tests.fakes.sysfs import mortal, plant, uproot


def zone(root: Path, number: int, name: str, temperature: object, **trips: int) -> None:
    """`trips` are millidegrees by type; what follows two underscores only tells two of a type apart."""
    files: dict[str, object] = {"type": name, "temp": temperature}
    for place, (kind, limit) in enumerate(trips.items()):
        files |= {f"trip_point_{place}_type": kind.partition("__")[0], f"trip_point_{place}_temp": limit}
    plant(root, {f"class/thermal/thermal_zone{number}/{file}": content for file, content in files.items()})


def sensor(root: Path, wanted: str | None = None) -> ThermalZoneSensor:
    return ThermalZoneSensor(ThermalZoneSettings(zone=wanted, root=root), Surroundings("box"))


def test_building_one_touches_nothing(tmp_path: Path) -> None:
    sensor(tmp_path / "nowhere").close()


@pytest.mark.parametrize("name", ["x86_pkg_temp", "cpu-thermal", "cpu_thermal", "cpu0-thermal", "TCPU", "soc-thermal"])
def test_a_cpu_goes_before_other_zones(tmp_path: Path, name: str) -> None:
    zone(tmp_path, 0, "iwlwifi_1", 45000)
    zone(tmp_path, 1, "acpitz", 30000)
    zone(tmp_path, 10, name, 61000)

    assert sensor(tmp_path).read(5.0) == Reading(at=5.0, celsius=61)


def test_the_package_goes_before_the_cpu_that_firmware_describes(tmp_path: Path) -> None:
    zone(tmp_path, 0, "TCPU", 50000)
    zone(tmp_path, 1, "x86_pkg_temp", 61000)

    assert sensor(tmp_path).read(0).celsius == 61


def test_acpi_goes_before_the_rest_and_the_first_of_the_rest_counts(tmp_path: Path) -> None:
    zone(tmp_path, 2, "battery", 20000)
    zone(tmp_path, 10, "wifi", 45000)
    assert sensor(tmp_path).read(0).celsius == 20

    zone(tmp_path, 11, "acpitz", 30000)
    assert sensor(tmp_path).read(0).celsius == 30


def test_a_glob_picks_a_zone(tmp_path: Path) -> None:
    zone(tmp_path, 0, "cpu-thermal", 61000)
    zone(tmp_path, 1, "gpu0-thermal", 52000)

    assert sensor(tmp_path, "gpu*").read(0).celsius == 52
    with pytest.raises(SensorLostError, match=r"no thermal zone npu\*"):
        sensor(tmp_path, "npu*").read(0)


@pytest.mark.parametrize(
    ("trips", "slowdown", "shutdown"),
    [
        ({"passive": 95000, "critical": 105000}, 95, 105),
        ({"passive__a": 85000, "passive__b": 75000, "critical": 105000}, 75, 105),
        ({"hot": 98000, "critical": 105000}, 98, 105),
        ({"hot": 90000, "passive": 95000}, 95, None),
        ({"active": 50000, "critical__a": 120000, "critical__b": 110000}, None, 110),
        ({"passive": 0, "critical": -274000}, None, None),
        ({"passive": -1, "hot": 98000}, 98, None),
        ({"critical": 65261850}, None, None),
        ({}, None, None),
    ],
)
def test_trip_points_become_limits(
    tmp_path: Path, trips: dict[str, int], slowdown: float | None, shutdown: float | None
) -> None:
    zone(tmp_path, 0, "cpu-thermal", 61000, **trips)
    reading = sensor(tmp_path).read(0)

    assert (reading.limit_slowdown_celsius, reading.limit_shutdown_celsius) == (slowdown, shutdown)


@pytest.mark.parametrize("garbage", ["", "hot", 255000, -274000])
def test_a_zone_without_a_sensible_temperature_is_lost_and_comes_back(tmp_path: Path, garbage: object) -> None:
    zone(tmp_path, 0, "cpu-thermal", garbage)
    cpu = sensor(tmp_path)
    with pytest.raises(SensorLostError, match="cpu-thermal gives no temperature that makes sense"):
        cpu.read(1.0)

    zone(tmp_path, 0, "cpu-thermal", 47000)
    assert cpu.read(2.0).celsius == 47


def test_a_zone_that_goes_is_found_again_under_another_number(tmp_path: Path) -> None:
    with mortal(800) as file:
        zone(tmp_path, 0, "cpu-thermal", file.path)
        cpu = sensor(tmp_path, "cpu-thermal")
        assert cpu.read(1.0).celsius == 0.8
        file.die()
        with pytest.raises(SensorLostError, match="can't be read"):
            cpu.read(2.0)

    uproot(tmp_path, "class/thermal/thermal_zone0")
    zone(tmp_path, 0, "acpitz", 20000)
    zone(tmp_path, 4, "cpu-thermal", 47000)
    assert cpu.read(3.0).celsius == 47


def test_a_machine_without_zones_is_lost_and_has_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(SensorLostError, match="no thermal zone at all"):
        sensor(tmp_path).read(0)
    assert list(find(tmp_path)) == []


def test_every_type_is_found_once(tmp_path: Path) -> None:
    for number, name in enumerate(["acpitz", "acpitz", "x86_pkg_temp"]):
        zone(tmp_path, number, name, 40000 + number * 1000)
    found = list(find(tmp_path))

    assert [settings.zone for settings in found] == ["acpitz", "x86_pkg_temp"]
    assert ThermalZoneSensor(found[1], Surroundings("cpu")).read(0).celsius == 42
