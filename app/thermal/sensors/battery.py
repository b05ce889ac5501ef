"""How full the machine's battery is, whether it is plugged in, and what the battery gives.

Linux tells it in sysfs (kernel: Documentation/ABI/testing/sysfs-class-power), other systems through psutil.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from app.domain.thermal import Battery, Reading
from app.thermal.sensor import Seconds, SensorLostError, SensorSettings, Surroundings
from app.thermal.sysfs import Sysfs

_MICRO = 1e-6
_PLUGGED = {"charging": True, "full": True, "not charging": True, "discharging": False}


class NoBatteryError(SensorLostError):
    """There is none, or it was taken out."""

    def __init__(self) -> None:
        super().__init__("this machine has no battery")


class BatterySettings(SensorSettings):
    """The battery of this machine, or all of them together."""

    kind: str = Field("battery", description="how it is measured")
    busy_seconds: Seconds = Field(5, description="between two readings while its zone is warm or busy")
    root: Path = Field(Path("/sys"), description="where sysfs is mounted")


def find(root: Path) -> Iterator[BatterySettings]:
    """One if there is a battery."""
    settings = BatterySettings(root=root)
    sensor = BatterySensor(settings, Surroundings("battery"))
    try:
        sensor.read(0.0)
    except NoBatteryError:
        return
    except SensorLostError:
        """It is there, and will say itself what is wrong with it."""
    finally:
        sensor.close()
    yield settings


def _psutil_battery() -> Any:
    try:
        import psutil
    except ImportError as error:
        raise SensorLostError(f"psutil can't be loaded: {error}") from None
    ask = getattr(psutil, "sensors_battery", None)
    return ask() if ask is not None else None


class BatterySensor:
    """Several batteries count as one: their energy together, their watts together."""

    Settings = BatterySettings

    def __init__(
        self,
        settings: BatterySettings,
        surroundings: Surroundings,  # noqa: ARG002 (every kind is built alike)
        elsewhere: Callable[[], Any] = _psutil_battery,
    ) -> None:
        self._sysfs = Sysfs(settings.root)
        self._elsewhere = elsewhere

    def read(self, now: float) -> Reading:
        if not (self._sysfs.root / "class").is_dir():
            return Reading(now, battery=_by_psutil(self._elsewhere()))
        try:
            return Reading(now, battery=self._by_sysfs())
        except SensorLostError:
            self._sysfs.close()  # one that was taken out may come back under the same name
            raise

    def close(self) -> None:
        self._sysfs.close()

    def _by_sysfs(self) -> Battery:
        supplies = [path for path in self._sysfs.glob("class/power_supply/*") if self._is_ours(path)]
        batteries = [path for path in supplies if self._sysfs.text(path / "type") == "Battery"]
        if not batteries:
            raise NoBatteryError
        states = [(self._sysfs.text(path / "status") or "").lower() for path in batteries]
        mains = [online for path in supplies if (online := self._online(path, batteries)) is not None]
        given = [self._watts(path) for path, state in zip(batteries, states, strict=True) if state == "discharging"]
        watts = None if None in given else sum(one for one in given if one is not None)
        return Battery(self._percent(batteries), _plugged(mains, states), watts)

    def _is_ours(self, path: Path) -> bool:
        """Not that of a mouse or a headset, and no empty bay."""
        return self._sysfs.text(path / "scope") != "Device" and self._sysfs.text(path / "present") != "0"

    def _online(self, path: Path, batteries: list[Path]) -> bool | None:
        online = None if path in batteries else self._sysfs.number(path / "online")
        return None if online is None else online > 0

    def _percent(self, batteries: list[Path]) -> float:
        """Weighted by what each holds when full; alike if one of them does not tell."""
        full = [self._watt_hours_when_full(path) for path in batteries]
        weights = [each or 1.0 for each in full] if all(full) else [1.0] * len(full)
        percents = [self._charge(path) * weight for path, weight in zip(batteries, weights, strict=True)]
        return min(max(sum(percents) / sum(weights), 0.0), 100.0)

    def _charge(self, path: Path) -> float:
        for unit in ("energy", "charge"):
            now, full = self._sysfs.number(path / f"{unit}_now"), self._sysfs.number(path / f"{unit}_full")
            if now is not None and full:
                return 100 * now / full
        capacity = self._sysfs.number(path / "capacity")
        if capacity is None:
            raise SensorLostError(f"{path.name} does not say how full it is")
        return capacity

    def _watt_hours_when_full(self, path: Path) -> float | None:
        energy = self._sysfs.number(path / "energy_full", _MICRO)
        if energy is not None:
            return energy
        charge = self._sysfs.number(path / "charge_full", _MICRO)
        volts = self._sysfs.number(path / "voltage_min_design", _MICRO)
        return charge * volts if charge is not None and volts is not None else None

    def _watts(self, path: Path) -> float | None:
        try:
            power = self._sysfs.number(path / "power_now", _MICRO)
            if power is None:
                amperes = self._sysfs.number(path / "current_now", _MICRO)
                volts = self._sysfs.number(path / "voltage_now", _MICRO)
                power = amperes * volts if amperes is not None and volts is not None else None
        except SensorLostError:  # ACPI answers "no such device" when the firmware does not know the rate
            return None
        return abs(power) if power else None  # some count what leaves as negative; nothing at all means not known


def _plugged(mains: list[bool], states: list[str]) -> bool:
    """By what comes from the wall, where something tells; else by what the batteries do."""
    told = mains or [_PLUGGED[state] for state in states if state in _PLUGGED]
    if not told:
        raise SensorLostError("nothing says whether the machine is plugged in")
    return any(told) if mains else all(told)


def _by_psutil(battery: Any) -> Battery:
    if battery is None:
        raise NoBatteryError
    if battery.power_plugged is None:
        raise SensorLostError("nothing says whether the machine is plugged in")
    return Battery(float(battery.percent), bool(battery.power_plugged))
