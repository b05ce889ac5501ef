"""Intel's NPU, as the Linux driver intel_vpu describes it.

Kernel: drivers/accel/ivpu/ivpu_sysfs.c. Temperature and power are told by few kernels, and are unknown with the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from app.domain.thermal import Reading
from app.thermal.counter import ACCUMULATORS, Counter
from app.thermal.sensor import SensorLostError, SensorSettings, Surroundings
from app.thermal.sysfs import Sysfs

_DRIVER = "intel_vpu"
_MICRO = 1e-6
#: Reading the busy time takes a lock that jobs need; the driver's authors recommend one second.
_BUSY_EVERY_SECONDS = 1.0


class IntelNpuSettings(SensorSettings):
    """The first NPU of Intel's."""

    kind: str = Field("intel_npu", description="how it is measured")
    root: Path = Field(Path("/sys"), description="where sysfs is mounted")


def find(root: Path) -> Iterator[IntelNpuSettings]:
    """One if there is such an NPU."""
    with closing(Sysfs(root)) as sysfs:
        for _ in _devices(sysfs):
            yield IntelNpuSettings(root=root)
            return


@dataclass(frozen=True, slots=True)
class _Npu:
    """The folder of the device, and that of its hwmon chip where it has one."""

    device: Path
    hwmon: Path


class IntelNpuSensor:
    """Utilisation is the share of the time since the look before in which jobs were with the firmware."""

    Settings = IntelNpuSettings

    def __init__(self, settings: IntelNpuSettings, surroundings: Surroundings) -> None:  # noqa: ARG002 (as all are built)
        self._sysfs = Sysfs(settings.root)
        self._npu: _Npu | None = None
        self._energy = Counter(ACCUMULATORS)
        self._busy = Counter()
        self._looked: float | None = None

    def read(self, now: float) -> Reading:
        try:
            npu = self._npu = self._npu or self._found()
            return Reading(at=now, asleep=True) if self._sysfs.asleep(npu.device) else self._measured(npu, now)
        except SensorLostError:
            self._energy.cut()
            self._busy.cut()
            self.close()
            raise

    def close(self) -> None:
        self._npu = None
        self._sysfs.close()

    def _found(self) -> _Npu:
        for device in _devices(self._sysfs):
            folder = device.relative_to(self._sysfs.root) / "hwmon" / "hwmon*"
            return _Npu(device, next(self._sysfs.glob(str(folder)), device / "hwmon"))
        raise SensorLostError("there is no NPU with the driver intel_vpu")

    def _measured(self, npu: _Npu, now: float) -> Reading:
        sysfs = self._sysfs
        self._energy.count(sysfs.number(npu.hwmon / "energy1_input"), now)
        watts = sysfs.number(npu.hwmon / "power1_input", _MICRO)
        if watts is None and self._energy.per_second is not None:
            watts = self._energy.per_second * _MICRO
        joules = self._energy.total
        memory = sysfs.number(npu.device / "npu_memory_utilization")
        self._look_how_busy(npu, now)
        busy = self._busy.per_second
        celsius = sysfs.celsius(npu.hwmon / "temp1_input")
        megahertz = sysfs.number(npu.device / "npu_current_frequency_mhz")
        if all(value is None for value in (celsius, watts, joules, memory, megahertz, self._busy.total)):
            raise SensorLostError("this kernel tells nothing of the NPU")
        return Reading(
            at=now,
            celsius=celsius,
            watts=watts,
            joules=joules * _MICRO if joules is not None else None,
            utilisation=min(busy * _MICRO, 1.0) if busy is not None else None,
            megahertz=megahertz,
            memory_used_bytes=int(memory) if memory is not None else None,
        )

    def _look_how_busy(self, npu: _Npu, now: float) -> None:
        if self._looked is None or now - self._looked >= _BUSY_EVERY_SECONDS:
            self._busy.count(self._sysfs.number(npu.device / "npu_busy_time_us"), now)
            self._looked = now


def _devices(sysfs: Sysfs) -> Iterator[Path]:
    for device in sysfs.glob("class/accel/accel*/device"):
        if sysfs.target(device / "driver") == _DRIVER:
            yield device
