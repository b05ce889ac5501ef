"""What is found on real machines, and what of it is meant for a zone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.backend import Hardware
from app.thermal.sensor import SensorSettings
from app.thermal.survey import suitable, survey
from tests.app.thermal.machines import bare, board, hwmon, laptop, workstation
from tests.fakes.sysfs import plant

Machine = Callable[[Path], Path]
NOT_ITSELF = {"busy_seconds", "idle_seconds", "root", "temperatures", "chips"}


def names(found: Any) -> list[str]:
    """Kinds, with what tells one from another of the kind."""
    return [" ".join(str(value) for value in told(each).values()) for each in found]


def told(settings: SensorSettings) -> dict[str, Any]:
    return settings.model_dump(exclude=NOT_ITSELF, exclude_none=True)


def test_a_survey_finds_everything_there_is(tmp_path: Path) -> None:
    assert names(survey(laptop(tmp_path))) == [
        "hwmon acpitz LNXTHERM:00",
        "hwmon coretemp coretemp.0",
        "hwmon nvme nvme0",
        "thermal_zone acpitz",
        "rapl package-0",
        "rapl package-0/core",
        "rapl package-0/uncore",
        "intel_npu",
        "battery",
        "psutil",
    ]


def test_what_is_found_is_told_where_sysfs_is(tmp_path: Path) -> None:
    root = laptop(tmp_path)

    assert {each.root for each in survey(root) if hasattr(each, "root")} == {root}


@pytest.mark.parametrize(
    ("machine", "hardware", "found"),
    [
        (laptop, Hardware.CPU, ["hwmon coretemp coretemp.0", "rapl package-0", "psutil", "battery"]),
        (laptop, Hardware.IGPU, ["rapl package-0/uncore", "hwmon coretemp coretemp.0", "battery"]),
        (laptop, Hardware.NPU, ["intel_npu", "hwmon coretemp coretemp.0", "battery"]),
        (laptop, Hardware.CLOUD, ["battery"]),
        (laptop, Hardware.AMD, ["battery"]),
        (laptop, Hardware.NVIDIA, ["nvml 0", "battery"]),
        (workstation, Hardware.AMD, ["hwmon amdgpu 0000:03:00.0"]),
        (workstation, Hardware.CPU, ["hwmon k10temp 0000:00:18.3", "rapl package-0", "psutil"]),
        (board, Hardware.CPU, ["thermal_zone cpu-thermal", "psutil"]),
        (bare, Hardware.CPU, ["psutil"]),
        (bare, Hardware.AMD, []),
    ],
)
def test_a_zone_gets_what_measures_its_hardware(
    tmp_path: Path, machine: Machine, hardware: Hardware, found: list[str]
) -> None:
    assert names(suitable(machine(tmp_path / "sys"), [hardware])) == found


def test_a_zone_that_says_nothing_of_its_hardware_is_a_cpus(tmp_path: Path) -> None:
    root = laptop(tmp_path)

    assert suitable(root, []) == suitable(root, [Hardware.CPU])


def test_a_zone_of_two_kinds_of_hardware_gets_both_and_nothing_twice(tmp_path: Path) -> None:
    assert names(suitable(laptop(tmp_path), {Hardware.NPU, Hardware.CPU})) == [
        "hwmon coretemp coretemp.0",
        "rapl package-0",
        "psutil",
        "intel_npu",
        "battery",
    ]


def test_all_that_are_alike_count(tmp_path: Path) -> None:
    sockets = hwmon(0, "coretemp", "coretemp.0", temp1_input=1) | hwmon(1, "coretemp", "coretemp.1", temp1_input=1)

    assert names(suitable(plant(tmp_path, sockets), [Hardware.CPU]))[:2] == [
        "hwmon coretemp coretemp.0",
        "hwmon coretemp coretemp.1",
    ]


def test_a_graphics_card_of_intels_counts_before_one_of_amds(tmp_path: Path) -> None:
    chips = hwmon(0, "amdgpu", "0000:03:00.0", temp1_input=1) | hwmon(1, "xe", "0000:00:02.0", temp1_input=1)

    assert names(suitable(plant(tmp_path, chips), [Hardware.IGPU])) == ["hwmon xe 0000:00:02.0"]


def test_a_drive_is_no_cpu(tmp_path: Path) -> None:
    root = plant(tmp_path, hwmon(0, "nvme", "nvme0", temp1_input=1) | {"class/thermal/thermal_zone0/type": "iwlwifi_1"})

    assert names(suitable(root, [Hardware.CPU])) == ["psutil"]
