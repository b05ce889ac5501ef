"""A chip of Linux' hwmon: CPUs, graphics cards of AMD's and Intel's, NVMe drives, main boards.

Kernel: Documentation/hwmon/sysfs-interface.rst, and Documentation/gpu/amdgpu for the files that amdgpu has beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pydantic import Field

from app.domain.thermal import Reading
from app.thermal.counter import ACCUMULATORS, Counter
from app.thermal.sensor import SensorLostError, SensorSettings, Surroundings
from app.thermal.sysfs import Sysfs

#: Who measures the CPU, best first.
_CPUS = ("coretemp", "k10temp", "zenpower", "cpu*_thermal", "soc_thermal", "scpi_sensors")
#: Their `crit` is where they slow down, not where they turn off.
_SLOW_AT_CRIT = {"coretemp", "k10temp", "zenpower"}
#: Of a card of Intel's, the first is the whole card and the second its chip.
_ENERGIES = ("energy1_input", "energy2_input")
_POWERS = ("power1_average", "power1_input")
_MICRO = 1e-6
_NUMBERED = re.compile(r"(temp|fan|pwm)([0-9]+)(?:_input)?")


class HwmonSettings(SensorSettings):
    """Which chip, and which of its temperatures."""

    kind: str = Field("hwmon", description="how it is measured")
    chip: str | None = Field(None, description="glob for its name: coretemp, k10temp, amdgpu, xe, nvme; else the CPU's")
    device: str | None = Field(None, description="glob for its device, as in `'0000:03:00.0'`, where several are alike")
    label: str | None = Field(
        None, description="glob for a temperature's label, as in `Package id 0` or `junction`; else the hottest counts"
    )
    root: Path = Field(Path("/sys"), description="where sysfs is mounted")


@dataclass(frozen=True, slots=True)
class _Chip:
    """`device` is what it belongs to; `file` and `beside` give paths of the chip's own files and of the device's."""

    name: str
    device: Path
    file: Callable[[str], Path]
    beside: Callable[[str], Path]
    temperatures: tuple[int, ...]
    fans: tuple[int, ...]


def find(root: Path) -> Iterator[HwmonSettings]:
    """Every chip that measures a temperature or energy."""
    with closing(Sysfs(root)) as sysfs:
        for chip in _chips(sysfs):
            if chip.temperatures or any(chip.file(name).exists() for name in _ENERGIES):
                yield HwmonSettings(chip=chip.name, device=sysfs.target(chip.device), root=root)


class HwmonSensor:
    """Numbers of hwmon change from boot to boot and with every device that comes or goes, so chips go by name.

    The limits are those of the very temperature that counts. Where there is an `emergency`, the device turns itself off
    there, and slows down at `crit`. Else a CPU slows down at `crit`; all others turn off there, and slow down at `max`
    (NVMe: CCTEMP and WCTEMP).
    """

    Settings = HwmonSettings

    def __init__(self, settings: HwmonSettings, surroundings: Surroundings) -> None:  # noqa: ARG002 (all are built alike)
        self._settings = settings
        self._sysfs = Sysfs(settings.root)
        self._energy = Counter(ACCUMULATORS)
        self._chip: _Chip | None = None

    def read(self, now: float) -> Reading:
        try:
            chip = self._chip = self._chip or self._found()
            return Reading(at=now, asleep=True) if self._sysfs.asleep(chip.device) else self._measured(chip, now)
        except SensorLostError:
            self._energy.cut()
            self.close()
            raise

    def close(self) -> None:
        self._chip = None
        self._sysfs.close()

    def _found(self) -> _Chip:
        wanted = self._settings
        chips = [
            chip
            for chip in _chips(self._sysfs)
            if wanted.device is None or fnmatchcase(self._sysfs.target(chip.device) or "", wanted.device)
        ]
        if wanted.chip is None:
            chips = [chip for chip in chips if chip.temperatures]
        for pattern in (wanted.chip,) if wanted.chip is not None else (*_CPUS, "*"):
            for chip in chips:
                if fnmatchcase(chip.name, pattern):
                    return chip
        raise SensorLostError(f"hwmon has no such chip: {wanted.chip or 'one with a temperature'}")

    def _measured(self, chip: _Chip, now: float) -> Reading:
        sysfs, file = self._sysfs, chip.file
        celsius, number = self._temperature(chip)
        slowdown, shutdown = self._limits(chip, number) if number is not None else (None, None)
        rpm, percent = self._fan(chip)
        self._energy.count(sysfs.first(*map(file, _ENERGIES)), now)
        microwatts = sysfs.first(*map(file, _POWERS))
        if microwatts is None:
            microwatts = self._energy.per_second
        busy = sysfs.number(chip.beside("gpu_busy_percent"))
        measured = (celsius, rpm, percent, microwatts, self._energy.total, busy)
        if all(value is None for value in measured):
            raise SensorLostError(f"{chip.name} says nothing")
        return Reading(
            at=now,
            celsius=celsius,
            watts=_scaled(microwatts, _MICRO),
            joules=_scaled(self._energy.total, _MICRO),
            fan_percent=percent,
            fan_rpm=rpm,
            utilisation=_scaled(busy, 0.01),
            megahertz=sysfs.number(file("freq1_input"), _MICRO),
            memory_used_bytes=_whole(sysfs.number(chip.beside("mem_info_vram_used"))),
            memory_total_bytes=_whole(sysfs.number(chip.beside("mem_info_vram_total"))),
            limit_slowdown_celsius=slowdown,
            limit_shutdown_celsius=shutdown,
        )

    def _temperature(self, chip: _Chip) -> tuple[float | None, int | None]:
        """The hottest of those that are wanted, and its number."""
        label = self._settings.label
        if label is not None:
            numbers = [number for number in chip.temperatures if fnmatchcase(self._label(chip, number), label)]
            if not numbers:
                raise SensorLostError(f"{chip.name} has no temperature with the label {label}")
        else:
            numbers = list(chip.temperatures)
        known = [(celsius, number) for number in numbers if (celsius := self._celsius(chip, number)) is not None]
        return max(known, default=(None, None))

    def _label(self, chip: _Chip, number: int) -> str:
        return self._sysfs.text(chip.file(f"temp{number}_label")) or ""

    def _celsius(self, chip: _Chip, number: int) -> float | None:
        if self._sysfs.number(chip.file(f"temp{number}_fault")):  # nothing is connected to it
            return None
        return self._sysfs.celsius(chip.file(f"temp{number}_input"))

    def _limits(self, chip: _Chip, number: int) -> tuple[float | None, float | None]:
        """Celsius of slowdown and of shutdown."""
        most, crit, emergency = (
            self._sysfs.limit(chip.file(f"temp{number}_{name}")) for name in ("max", "crit", "emergency")
        )
        if emergency is not None or chip.name in _SLOW_AT_CRIT:
            return crit if crit is not None else most, emergency
        return most, crit

    def _fan(self, chip: _Chip) -> tuple[float | None, float | None]:
        """The fastest fan's rpm, and the percent of the one that runs nearest to its top speed."""
        speeds = [(number, self._rpm(chip, number)) for number in chip.fans]
        rpms = [rpm for _, rpm in speeds if rpm is not None]
        percents = [percent for fan in speeds if (percent := self._percent(chip, *fan)) is not None]
        return max(rpms, default=None), max(percents, default=None)

    def _rpm(self, chip: _Chip, number: int) -> float | None:
        return self._sysfs.number(chip.file(f"fan{number}_input"))

    def _percent(self, chip: _Chip, number: int, rpm: float | None) -> float | None:
        if rpm == 0:  # it stands, or is not there, whatever the board would drive it with
            return 0.0
        pwm = self._sysfs.number(chip.file(f"pwm{number}"))
        if pwm is not None:
            return 100 * pwm / 255
        top = self._sysfs.number(chip.file(f"fan{number}_max"))
        return min(100 * rpm / top, 100.0) if rpm is not None and top else None


def _chips(sysfs: Sysfs) -> Iterator[_Chip]:
    """Reads names only: nothing of a chip that would wake its device."""
    for folder in sysfs.glob("class/hwmon/hwmon*"):
        device = folder / "device"
        for files in (folder, device):  # the files of old drivers are in the device's own folder
            if name := sysfs.identity(files / "name"):
                yield _Chip(
                    name,
                    device,
                    cache(files.joinpath),  # made once: they are asked for several times a second
                    cache(device.joinpath),
                    _numbers(files, "temp"),
                    _numbers(files, "fan", "pwm"),
                )
                break


def _numbers(files: Path, *prefixes: str) -> tuple[int, ...]:
    found = (_NUMBERED.fullmatch(path.name) for path in files.glob("[tfp]*"))
    return tuple(sorted({int(match[2]) for match in found if match and match[1] in prefixes}))


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
