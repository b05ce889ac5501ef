"""Chips of Linux' hwmon, as real trees of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.thermal import Reading
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.hwmon import HwmonSensor, HwmonSettings, find
from tests.fakes.sysfs import UNREADABLE, mortal, plant, uproot

CORETEMP = {
    "name": "coretemp",
    "device": Path("../../devices/platform/coretemp.0"),
    "temp1_label": "Package id 0",
    "temp1_input": 61000,
    "temp1_max": 80000,
    "temp1_crit": 100000,
    "temp2_label": "Core 0",
    "temp2_input": 58000,
    "temp2_max": 80000,
    "temp2_crit": 100000,
}
AMDGPU = {
    "name": "amdgpu",
    "temp1_label": "edge",
    "temp1_input": 52000,
    "temp1_crit": 100000,
    "temp1_emergency": 105000,
    "temp2_label": "junction",
    "temp2_input": 67500,
    "temp2_crit": 110000,
    "temp2_emergency": 115000,
    "fan1_input": 1200,
    "fan1_max": 3300,
    "pwm1": 102,
    "power1_average": 41000000,
    "freq1_input": 2105000000,
    "device/power/runtime_status": "active",
    "device/gpu_busy_percent": 37,
    "device/mem_info_vram_used": 1073741824,
    "device/mem_info_vram_total": 17163091968,
}
XE = {
    "name": "xe",
    "temp2_label": "pkg",
    "temp2_input": 48000,
    "temp3_label": "vram",
    "temp3_input": 51000,
    "energy1_input": 5_000_000,
    "energy2_input": 1_000_000,
    "device/power/runtime_status": "active",
}


def chip(root: Path, number: int, files: dict[str, object]) -> None:
    plant(root, {f"class/hwmon/hwmon{number}/{name}": content for name, content in files.items()})


def sensor(root: Path, **settings: str | None) -> HwmonSensor:
    return HwmonSensor(HwmonSettings(root=root, **settings), Surroundings("box"))


def test_building_one_touches_nothing(tmp_path: Path) -> None:
    sensor(tmp_path / "nowhere").close()


def test_a_cpu_is_found_among_other_chips_and_its_hottest_part_counts(tmp_path: Path) -> None:
    chip(tmp_path, 0, {"name": "nvme", "temp1_input": 70000})
    chip(tmp_path, 10, CORETEMP)

    assert sensor(tmp_path).read(5.0) == Reading(at=5.0, celsius=61, limit_slowdown_celsius=100)


@pytest.mark.parametrize("better", ["coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu0_thermal"])
def test_every_kind_of_cpu_chip_goes_before_the_others(tmp_path: Path, better: str) -> None:
    chip(tmp_path, 0, {"name": "acpitz", "temp1_input": 30000})
    chip(tmp_path, 1, {"name": better, "temp1_input": 40000})

    assert sensor(tmp_path).read(0).celsius == 40


def test_without_a_cpu_chip_the_first_with_a_temperature_counts(tmp_path: Path) -> None:
    chip(tmp_path, 1, {"name": "BAT0", "power1_input": 9000000})
    chip(tmp_path, 2, {"name": "acpitz", "temp1_input": 30000})
    chip(tmp_path, 10, {"name": "nvme", "temp1_input": 40000})

    assert sensor(tmp_path).read(0).celsius == 30


def test_an_amd_card_tells_all_that_it_has(tmp_path: Path) -> None:
    chip(tmp_path, 3, AMDGPU)

    assert sensor(tmp_path, chip="amdgpu").read(7.0) == Reading(
        at=7.0,
        celsius=67.5,
        watts=41,
        fan_percent=40,
        fan_rpm=1200,
        utilisation=0.37,
        megahertz=2105,
        memory_used_bytes=1 << 30,
        memory_total_bytes=17163091968,
        limit_slowdown_celsius=110,
        limit_shutdown_celsius=115,
    )


def test_a_label_picks_the_temperature_and_its_own_limits(tmp_path: Path) -> None:
    chip(tmp_path, 3, AMDGPU)
    reading = sensor(tmp_path, chip="amdgpu", label="edge").read(0)

    assert (reading.celsius, reading.limit_slowdown_celsius, reading.limit_shutdown_celsius) == (52, 100, 105)


def test_a_label_is_a_glob_and_the_hottest_of_its_matches_counts(tmp_path: Path) -> None:
    chip(tmp_path, 0, {**CORETEMP, "temp3_label": "Core 1", "temp3_input": 59000})

    assert sensor(tmp_path, label="Core *").read(0).celsius == 59


def test_a_label_that_the_chip_does_not_have_is_lost(tmp_path: Path) -> None:
    chip(tmp_path, 0, CORETEMP)

    with pytest.raises(SensorLostError, match="coretemp has no temperature with the label junction"):
        sensor(tmp_path, label="junction").read(0)


def test_of_two_chips_of_one_name_the_device_picks_one(tmp_path: Path) -> None:
    for number, (bus_id, milli) in enumerate({"0000:03:00.0": 50000, "0000:0a:00.0": 60000}.items()):
        device = plant(tmp_path, {f"devices/{bus_id}/power/runtime_status": "active"}) / "devices" / bus_id
        chip(tmp_path, number, {"name": "amdgpu", "temp1_input": milli, "device": device})

    assert sensor(tmp_path, chip="amdgpu").read(0).celsius == 50
    assert sensor(tmp_path, chip="amdgpu", device="0000:0a:*").read(0).celsius == 60
    with pytest.raises(SensorLostError, match="no such chip: amdgpu"):
        sensor(tmp_path, chip="amdgpu", device="0000:0b:00.0").read(0)


@pytest.mark.parametrize(
    ("name", "limits", "slowdown", "shutdown"),
    [
        ("coretemp", {"max": 80000, "crit": 100000}, 100, None),
        ("k10temp", {"max": 70000}, 70, None),
        ("nvme", {"max": 81850, "crit": 84850}, 81.85, 84.85),
        ("cpu_thermal", {"crit": 110000}, None, 110),
        ("xe", {"max": 95000, "crit": 100000, "emergency": 105000}, 100, 105),
        ("nouveau", {"max": 95000, "emergency": 105000}, 95, 105),
        ("nvme", {"max": 65261850, "crit": 84850}, None, 84.85),
        ("nvme", {"max": 0, "crit": -273150}, None, None),
        ("acpitz", {}, None, None),
    ],
)
def test_limits_mean_what_they_mean_for_that_chip(
    tmp_path: Path, name: str, limits: dict[str, int], slowdown: float | None, shutdown: float | None
) -> None:
    chip(tmp_path, 0, {"name": name, "temp1_input": 40000, **{f"temp1_{key}": limits[key] for key in limits}})
    reading = sensor(tmp_path).read(0)

    assert (reading.limit_slowdown_celsius, reading.limit_shutdown_celsius) == (slowdown, shutdown)


def test_a_temperature_that_makes_no_sense_or_has_a_fault_does_not_count(tmp_path: Path) -> None:
    chip(
        tmp_path,
        0,
        {
            "name": "nct6798",
            "temp1_input": 38000,
            "temp2_input": 127500,
            "temp2_fault": 1,
            "temp3_input": -62000,
            "temp4_input": 65261850,
            "temp5_input": "broken",
            "temp6_input": 35000,
            "temp6_fault": 0,
        },
    )

    assert sensor(tmp_path, chip="nct*").read(0).celsius == 38


@pytest.mark.parametrize(
    ("files", "percent", "rpm"),
    [
        ({"fan1_input": 1650, "fan1_max": 3300}, 50, 1650),
        ({"fan1_input": 1650, "pwm1": 255}, 100, 1650),
        ({"fan1_input": 0, "pwm1": 255}, 0, 0),
        ({"fan1_input": 4000, "fan1_max": 3300}, 100, 4000),
        ({"fan1_input": 1650}, None, 1650),
        ({"fan1_input": 1650, "fan1_max": 0}, None, 1650),
        ({"pwm1": 51, "pwm1_enable": 2}, 20, None),
        ({"fan1_input": 900, "pwm1": 51, "fan2_input": 700, "pwm2": 102}, 40, 900),
        ({}, None, None),
    ],
)
def test_how_fast_fans_turn(tmp_path: Path, files: dict[str, int], percent: float | None, rpm: float | None) -> None:
    chip(tmp_path, 0, {"name": "box", "temp1_input": 30000, **files})
    reading = sensor(tmp_path).read(0)

    assert (reading.fan_percent, reading.fan_rpm) == (percent, rpm)


def test_power_is_the_average_where_there_is_one_else_the_input(tmp_path: Path) -> None:
    chip(tmp_path, 0, {"name": "amdgpu", "temp1_input": 30000, "power1_input": 12_000_000})
    assert sensor(tmp_path).read(0).watts == 12

    chip(tmp_path, 0, {"power1_average": 9_000_000})
    assert sensor(tmp_path).read(0).watts == 9


def test_where_only_energy_is_counted_its_rise_is_the_power(tmp_path: Path) -> None:
    chip(tmp_path, 0, XE)
    xe = sensor(tmp_path, chip="xe")
    first = xe.read(100.0)
    chip(tmp_path, 0, {"energy1_input": 85_000_000, "energy2_input": 2_000_000})
    second = xe.read(104.0)

    assert (first.joules, first.watts, first.celsius) == (5, None, 51)
    assert (second.joules, second.watts) == (85, 20)


def test_energy_of_the_package_counts_where_the_card_has_none(tmp_path: Path) -> None:
    chip(tmp_path, 0, {"name": "xe", "energy2_input": 3_000_000})

    assert sensor(tmp_path, chip="xe").read(0).joules == 3


def test_energy_goes_on_when_its_32_bits_are_full(tmp_path: Path) -> None:
    chip(tmp_path, 0, {**XE, "energy1_input": 2**32 - 1_000_000})
    xe = sensor(tmp_path, chip="xe")
    before = xe.read(0.0)
    chip(tmp_path, 0, {"energy1_input": 3_000_000})
    after = xe.read(2.0)

    assert before.joules is not None
    assert after.joules == pytest.approx(before.joules + 4)
    assert after.watts == pytest.approx(2)


def test_a_suspended_card_is_left_asleep(tmp_path: Path) -> None:
    """Its inputs would be lost if they were read: they are loops of links."""
    loop = {"temp2_input": Path("temp2_input"), "temp3_input": Path("temp3_input")}
    chip(tmp_path, 0, {**XE, **loop, "device/power/runtime_status": "suspended"})
    xe = sensor(tmp_path, chip="xe")

    assert xe.read(3.0) == Reading(at=3.0, asleep=True)

    chip(tmp_path, 0, {**XE, "device/power/runtime_status": "active"})
    assert xe.read(4.0).celsius == 51


def test_an_old_drivers_files_are_in_the_folder_of_its_device(tmp_path: Path) -> None:
    chip(tmp_path, 0, {"device/name": "k10temp", "device/temp1_input": 44000, "device/temp1_crit": 90000})

    reading = sensor(tmp_path).read(0)
    assert (reading.celsius, reading.limit_slowdown_celsius) == (44, 90)


def test_a_new_drivers_name_goes_before_that_of_its_device(tmp_path: Path) -> None:
    chip(tmp_path, 0, {"name": "lm75", "temp1_input": 30000, "device/name": "k10temp"})

    assert sensor(tmp_path, chip="lm75").read(0).celsius == 30
    with pytest.raises(SensorLostError):
        sensor(tmp_path, chip="k10temp").read(0)


def test_a_chip_that_goes_is_lost_and_found_again_under_another_number(tmp_path: Path) -> None:
    with mortal(900) as file:
        chip(tmp_path, 2, {**CORETEMP, "temp1_input": file.path})
        cpu = sensor(tmp_path, label="Package*")
        assert cpu.read(1.0).celsius == 0.9

        file.die()
        with pytest.raises(SensorLostError, match="temp1_input can't be read"):
            cpu.read(2.0)

    uproot(tmp_path, "class/hwmon/hwmon2")
    with pytest.raises(SensorLostError, match="no such chip"):
        cpu.read(3.0)

    chip(tmp_path, 0, {"name": "nvme", "temp1_label": "Package of something", "temp1_input": 33000})
    chip(tmp_path, 5, CORETEMP)
    assert cpu.read(4.0).celsius == 61


def test_another_card_under_the_same_name_does_not_add_its_past_to_the_energy(tmp_path: Path) -> None:
    with mortal(900) as file:
        chip(tmp_path, 0, {**XE, "temp2_input": file.path})
        xe = sensor(tmp_path, chip="xe")
        assert xe.read(0.0).joules == 5
        file.die()
        with pytest.raises(SensorLostError):
            xe.read(1.0)

    chip(tmp_path, 0, {**XE, "energy1_input": 9_000_000_000})
    back = xe.read(2.0)
    assert (back.joules, back.watts) == (5, None)
    chip(tmp_path, 0, {"energy1_input": 9_003_000_000})
    assert xe.read(3.0).joules == pytest.approx(8)


def test_a_chip_that_says_nothing_is_lost(tmp_path: Path) -> None:
    chip(tmp_path, 0, {"name": "coretemp", "temp1_input": "?"})

    with pytest.raises(SensorLostError, match="coretemp says nothing"):
        sensor(tmp_path).read(0)


def test_a_machine_without_hwmon_is_lost_and_has_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(SensorLostError, match="no such chip: one with a temperature"):
        sensor(tmp_path / "nowhere").read(0)
    assert list(find(tmp_path / "nowhere")) == []


def test_every_chip_with_heat_or_energy_is_found_also_a_sleeping_one(tmp_path: Path) -> None:
    chip(tmp_path, 0, CORETEMP)
    chip(tmp_path, 1, {"name": "BAT0", "power1_input": 9000000})
    chip(tmp_path, 2, {"name": "i915", "energy2_input": 1})
    chip(tmp_path, 3, {**XE, "device/power/runtime_status": "suspended"})
    found = list(find(tmp_path))

    assert [(settings.chip, settings.device) for settings in found] == [
        ("coretemp", "coretemp.0"),
        ("i915", None),
        ("xe", None),
    ]
    assert HwmonSensor(found[0], Surroundings("cpu")).read(0).celsius == 61


@pytest.mark.skipif(not UNREADABLE.exists(), reason="this kernel has no file that nobody may read")
def test_a_chip_whose_name_is_forbidden_does_not_hide_the_others(tmp_path: Path) -> None:
    chip(tmp_path, 0, {"name": UNREADABLE, "temp1_input": 1000})
    chip(tmp_path, 1, CORETEMP)

    assert [settings.chip for settings in find(tmp_path)] == ["coretemp"]
    assert sensor(tmp_path).read(0).celsius == 61
