"""A thermal zone of the Linux kernel: what ACPI and the device trees of small boards describe.

Kernel: Documentation/driver-api/thermal/sysfs-api.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field

from app.domain.thermal import Reading
from app.thermal.sensor import SensorLostError, SensorSettings, Surroundings
from app.thermal.sysfs import Sysfs

#: What measures a CPU, best first; any other zone after these.
_CPUS = ("x86_pkg_temp", "cpu*", "*cpu*", "TCPU*", "B0D4", "soc*", "acpitz", "*")


class ThermalZoneSettings(SensorSettings):
    """Which zone of the kernel's."""

    kind: str = Field("thermal_zone", description="how it is measured")
    zone: str | None = Field(None, description="glob for its type: x86_pkg_temp, cpu-thermal, acpitz; else the CPU's")
    root: Path = Field(Path("/sys"), description="where sysfs is mounted")


@dataclass(frozen=True, slots=True)
class _Zone:
    """Its type, the file of its temperature, and type and file of each trip point."""

    name: str
    temperature: Path
    trips: tuple[tuple[str, Path], ...]


def find(root: Path) -> Iterator[ThermalZoneSettings]:
    """Every type of zone, once."""
    with closing(Sysfs(root)) as sysfs:
        for name in dict.fromkeys(name for name, _ in _zones(sysfs)):
            yield ThermalZoneSettings(zone=name, root=root)


class ThermalZoneSensor:
    """The lowest `passive` trip point is where the kernel slows the device down (else `hot`), `critical` where it
    turns the machine off.
    """

    Settings = ThermalZoneSettings

    def __init__(self, settings: ThermalZoneSettings, surroundings: Surroundings) -> None:  # noqa: ARG002 (as all are)
        self._settings = settings
        self._sysfs = Sysfs(settings.root)
        self._zone: _Zone | None = None

    def read(self, now: float) -> Reading:
        try:
            zone = self._zone = self._zone or self._found()
            celsius = self._sysfs.celsius(zone.temperature)
            if celsius is None:
                raise SensorLostError(f"the thermal zone {zone.name} gives no temperature that makes sense")
            return Reading(
                at=now,
                celsius=celsius,
                limit_slowdown_celsius=self._lowest(zone, "passive", "hot"),
                limit_shutdown_celsius=self._lowest(zone, "critical"),
            )
        except SensorLostError:
            self.close()
            raise

    def close(self) -> None:
        self._zone = None
        self._sysfs.close()

    def _found(self) -> _Zone:
        zones = list(_zones(self._sysfs))
        for pattern in (self._settings.zone,) if self._settings.zone is not None else _CPUS:
            for name, folder in zones:
                if fnmatchcase(name, pattern):
                    return _Zone(name, folder / "temp", self._trips(folder))
        raise SensorLostError(f"the kernel has no thermal zone {self._settings.zone or 'at all'}")

    def _trips(self, folder: Path) -> tuple[tuple[str, Path], ...]:
        kinds = self._sysfs.glob(f"{folder.relative_to(self._sysfs.root)}/trip_point_*_type")
        return tuple(
            (self._sysfs.text(kind) or "", kind.with_name(kind.name[: -len("type")] + "temp")) for kind in kinds
        )

    def _lowest(self, zone: _Zone, *kinds: str) -> float | None:
        """The lowest trip point of the first kind that the zone has."""
        for kind in kinds:
            limits = [self._sysfs.limit(path) for name, path in zone.trips if name == kind]
            known = [limit for limit in limits if limit is not None]
            if known:
                return min(known)
        return None


def _zones(sysfs: Sysfs) -> Iterator[tuple[str, Path]]:
    """Types and folders, in the kernel's order."""
    for folder in sysfs.glob("class/thermal/thermal_zone*"):
        if name := sysfs.identity(folder / "type"):
            yield name, folder
