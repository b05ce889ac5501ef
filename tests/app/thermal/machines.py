"""Machines as sysfs describes them: the files of a laptop, a workstation, a small board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.sysfs import plant


def hwmon(number: int, name: str, device: str, **files: object) -> dict[str, Any]:
    """A chip of that name; what is at the device itself is written as `device__file`."""
    folder = f"class/hwmon/hwmon{number}"
    placed = {
        f"devices/{device}/{key.removeprefix('device__')}" if key.startswith("device__") else f"{folder}/{key}": text
        for key, text in files.items()
    }
    return (
        {f"devices/{device}/uevent": "", f"{folder}/device": Path(f"../../../devices/{device}")}
        | placed
        | {f"{folder}/name": name}
    )


def rapl(zone: str, name: str, microjoules: int) -> dict[str, Any]:
    folder = f"class/powercap/intel-rapl:{zone}"
    return {f"{folder}/name": name, f"{folder}/energy_uj": microjoules, f"{folder}/max_energy_range_uj": 262143328850}


BATTERY = {
    f"class/power_supply/BAT0/{key}": text
    for key, text in {
        "type": "Battery",
        "status": "Discharging",
        "energy_now": 30_000_000,
        "energy_full": 40_000_000,
        "power_now": 8_500_000,
    }.items()
}
NPU = {
    "devices/0000:00:0b.0/npu_busy_time_us": 5_000_000,
    "devices/0000:00:0b.0/npu_current_frequency_mhz": 1400,
    "class/accel/accel0/device": Path("../../../devices/0000:00:0b.0"),
    "devices/0000:00:0b.0/driver": Path("../../bus/pci/drivers/intel_vpu"),
    "bus/pci/drivers/intel_vpu/uevent": "",
}


def laptop(root: Path) -> Path:
    """Intel: a CPU with a GPU and an NPU on its die, a drive, a battery."""
    return plant(
        root,
        hwmon(0, "acpitz", "LNXTHERM:00", temp1_input=27800)
        | hwmon(1, "coretemp", "coretemp.0", temp1_input=61000, temp1_max=80000, temp1_crit=100000)
        | hwmon(2, "nvme", "nvme0", temp1_input=48850, temp1_crit=84850)
        | {"class/thermal/thermal_zone0/type": "acpitz", "class/thermal/thermal_zone0/temp": 27800}
        | rapl("0", "package-0", 7_000_000)
        | rapl("0:0", "core", 3_000_000)
        | rapl("0:1", "uncore", 2_000_000)
        | NPU
        | BATTERY,
    )


def workstation(root: Path, *, asleep: bool = False) -> Path:
    """AMD: a CPU and a large graphics card."""
    return plant(
        root,
        hwmon(0, "k10temp", "0000:00:18.3", temp1_input=52000, temp1_label="Tctl")
        | hwmon(
            3,
            "amdgpu",
            "0000:03:00.0",
            temp1_input=66000,
            temp1_crit=100000,
            temp1_emergency=105000,
            power1_average=180_000_000,
            fan1_input=1500,
            fan1_max=3000,
            device__gpu_busy_percent=75,
            device__mem_info_vram_used=1024,
            device__mem_info_vram_total=4096,
        )
        | {"devices/0000:03:00.0/power/runtime_status": "suspended" if asleep else "active"}
        | rapl("0", "package-0", 9_000_000),
    )


def board(root: Path) -> Path:
    """A small ARM board, which knows no hwmon but the kernel's thermal zones."""
    return plant(
        root,
        {
            "class/thermal/thermal_zone0/type": "gpu-thermal",
            "class/thermal/thermal_zone0/temp": 51000,
            "class/thermal/thermal_zone1/type": "cpu-thermal",
            "class/thermal/thermal_zone1/temp": 58000,
        },
    )


def bare(root: Path) -> Path:
    """A container: a sysfs with nothing in it."""
    (root / "class").mkdir(parents=True)
    return root
