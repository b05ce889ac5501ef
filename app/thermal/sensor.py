"""What a sensor is: its settings, its Protocol, what it may use, and which kinds there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from app.domain.backend import Hardware
from app.domain.errors import IsothermError
from app.domain.thermal import Reading

KINDS = {
    "auto": "app.thermal.sensors.auto:AutoSensor",
    "battery": "app.thermal.sensors.battery:BatterySensor",
    "command": "app.thermal.sensors.command:CommandSensor",
    "hwmon": "app.thermal.sensors.hwmon:HwmonSensor",
    "intel_npu": "app.thermal.sensors.intel_npu:IntelNpuSensor",
    "nvml": "app.thermal.sensors.nvml:NvmlSensor",
    "prometheus": "app.thermal.sensors.prometheus:PrometheusSensor",
    "psutil": "app.thermal.sensors.psutil:PsutilSensor",
    "rapl": "app.thermal.sensors.rapl:RaplSensor",
    "replay": "app.thermal.sensors.replay:ReplaySensor",
    "simulated": "app.thermal.sensors.simulated:SimulatedSensor",
    "thermal_zone": "app.thermal.sensors.thermal_zone:ThermalZoneSensor",
}

Seconds = Annotated[float, Field(gt=0, le=3600)]


class SensorLostError(IsothermError):
    """It can't be read now: the device is gone, permission is missing, the answer makes no sense."""


class SensorSettings(BaseModel):
    """What every kind of sensor can be told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(description="how it is measured")
    busy_seconds: Seconds = Field(0.25, description="between two readings while its zone is warm or busy")
    idle_seconds: Seconds = Field(5, description="between two readings otherwise")


@dataclass(frozen=True, slots=True)
class Work:
    """What one backend of the zone has done: `busy_seconds` since it started, and the watts that it draws at it."""

    backend: str
    watts: float | None
    busy_seconds: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sensor may know of its zone: the hardware of its backends, and the work that they have done until then."""

    zone: str
    hardware: frozenset[Hardware] = frozenset()
    work: Callable[[float], tuple[Work, ...]] = lambda _: ()


class Sensor(Protocol):
    """Something that can say how hot, how loud, how loaded one thing is. Built without side effects:
    `Kind(settings, surroundings)`; each kind has its `Settings`, a SensorSettings.
    """

    def read(self, now: float) -> Reading:
        """Measure. Called in the reading thread, never by two at once; may block, and should not for long.

        `now` is the monotonic instant that the reading is to bear. Raises SensorLostError; may be called again after.
        """

    def close(self) -> None:
        """Let go of everything, also when nothing was ever read."""


@runtime_checkable
class Interruptible(Protocol):
    """A sensor whose reading can be cut short, so that nothing of it goes on when the gateway has ended."""

    def interrupt(self) -> None:
        """End the reading that is going on, if there is one; called by another thread, and nothing is read after it."""
