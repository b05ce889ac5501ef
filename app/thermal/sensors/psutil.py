"""What every system tells of itself through psutil: load, memory, clock, and where there is no sysfs also heat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from app.domain.thermal import Reading
from app.thermal.sensor import SensorLostError, SensorSettings, Surroundings

_WAITING = ("idle", "iowait")
_COUNTED_TWICE = ("guest", "guest_nice")  # they are in `user` and `nice` already


class PsutilSettings(SensorSettings):
    """The CPU and memory of this machine, on any system."""

    kind: str = Field("psutil", description="how it is measured")
    temperatures: bool = Field(
        False, description="read heat and fans too; on Linux that wakes a sleeping graphics card, `hwmon` does not"
    )
    chips: tuple[str, ...] = Field(
        ("coretemp", "k10temp", "zenpower", "cpu_thermal"), description="whose temperatures count, by psutil's names"
    )


def find(root: Path) -> Iterator[PsutilSettings]:
    """One for every machine; it tells heat where there is no sysfs that could."""
    try:
        import psutil  # noqa: F401
    except ImportError:
        return
    yield PsutilSettings(temperatures=not (root / "class").is_dir())


def _psutil() -> Any:
    try:
        import psutil
    except ImportError as error:
        raise SensorLostError(f"psutil can't be loaded: {error}") from None
    return psutil


class PsutilSensor:
    """Utilisation is that since the last reading, so the first has none."""

    Settings = PsutilSettings

    def __init__(
        self,
        settings: PsutilSettings,
        surroundings: Surroundings,  # noqa: ARG002 (every kind is built alike)
        library: Callable[[], Any] = _psutil,
    ) -> None:
        self._settings = settings
        self._library = library
        self._seen: tuple[float, float] | None = None

    def read(self, now: float) -> Reading:
        psutil = self._library()
        try:
            memory = psutil.virtual_memory()
            hottest = self._hottest(psutil) if self._settings.temperatures else None
            return Reading(
                at=now,
                celsius=hottest.current if hottest is not None else None,
                fan_rpm=_fastest_fan(psutil) if self._settings.temperatures else None,
                utilisation=self._utilisation(psutil.cpu_times()),
                megahertz=_megahertz(psutil),
                memory_used_bytes=memory.total - memory.available,
                memory_total_bytes=memory.total,
                limit_slowdown_celsius=(hottest.high or None) if hottest is not None else None,
                limit_shutdown_celsius=(hottest.critical or None) if hottest is not None else None,
            )
        except OSError as error:
            raise SensorLostError(f"the system does not tell: {error.strerror}") from None

    def close(self) -> None:
        """There is nothing to let go of."""

    def _utilisation(self, times: Any) -> float | None:
        seconds = times._asdict()
        total = sum(value for name, value in seconds.items() if name not in _COUNTED_TWICE)
        busy = total - sum(seconds.get(name, 0.0) for name in _WAITING)
        before, self._seen = self._seen, (busy, total)
        if before is None or total <= before[1]:
            return None
        return float(min(max((busy - before[0]) / (total - before[1]), 0.0), 1.0))

    def _hottest(self, psutil: Any) -> Any:
        """psutil's entry of the hottest place of the CPU, None where no system tells."""
        chips = _asked(psutil, "sensors_temperatures") or {}
        places = [place for chip in self._settings.chips for place in chips.get(chip, ()) if place.current is not None]
        return max(places, key=lambda place: place.current, default=None)


def _fastest_fan(psutil: Any) -> float | None:
    chips = _asked(psutil, "sensors_fans") or {}
    return max((float(fan.current) for fans in chips.values() for fan in fans), default=None)


def _megahertz(psutil: Any) -> float | None:
    frequency = _asked(psutil, "cpu_freq")
    return float(frequency.current) or None if frequency is not None else None


def _asked(psutil: Any, name: str) -> Any:
    """What the function says; None where this system has none, or one that can't tell here."""
    function = getattr(psutil, name, None)
    try:
        return function() if function is not None else None
    except NotImplementedError:
        return None
