"""What there is on this machine that measures, and what of it belongs to which hardware."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from app.domain.backend import Hardware
from app.loader import load
from app.thermal.sensor import KINDS, SensorSettings

#: Kinds that can say what of them there is: each has a `find(root)` beside its sensor.
_KINDS = ("hwmon", "thermal_zone", "rapl", "nvml", "intel_npu", "battery", "psutil")


@dataclass(frozen=True, slots=True)
class Place:
    """Sensors of a kind, those whose `key` fits the first pattern that any fits.

    With `assumed` there is one even where the system does not list it: it will say itself what is wrong.
    """

    kind: str
    key: str = "kind"
    patterns: tuple[str, ...] = ("*",)
    assumed: bool = False


_CPU = (
    Place("hwmon", "chip", ("coretemp", "k10temp", "zenpower", "cpu*_thermal", "soc_thermal", "scpi_sensors")),
    Place("thermal_zone", "zone", ("x86_pkg_temp", "cpu*", "*cpu*", "TCPU*", "B0D4", "soc*", "acpitz")),
)

#: Of every row the first place that has something. What sits on the CPU's die is as hot as the CPU.
_PLACES: Mapping[Hardware, tuple[tuple[Place, ...], ...]] = {
    Hardware.NVIDIA: ((Place("nvml", assumed=True),),),
    Hardware.AMD: ((Place("hwmon", "chip", ("amdgpu",)),),),
    Hardware.IGPU: (
        (Place("hwmon", "chip", ("i915*", "xe", "amdgpu")),),
        (Place("rapl", "domain", ("uncore", "*/uncore")),),
        _CPU,
    ),
    Hardware.NPU: ((Place("intel_npu"),), _CPU),
    Hardware.CPU: (_CPU, (Place("rapl", "domain", ("package-0",)),), (Place("psutil"),)),
    Hardware.CLOUD: (),
}


def survey(root: Path) -> Iterator[SensorSettings]:
    """Settings for everything that measures on this machine. `root` is where sysfs is mounted."""
    for kind in _KINDS:
        yield from _found(kind, root)


def suitable(root: Path, hardware: Iterable[Hardware]) -> list[SensorSettings]:
    """Settings for what measures a zone of that hardware, of a CPU if it has none; the battery is everybody's."""
    rows = [row for each in sorted(hardware) or [Hardware.CPU] for row in _PLACES[each]]
    found = [settings for row in rows for settings in _first(row, root)]
    return list(dict.fromkeys([*found, *_found("battery", root)]))


def _first(row: Iterable[Place], root: Path) -> list[SensorSettings]:
    for place in row:
        every = _found(place.kind, root)
        for pattern in place.patterns:
            if fitting := [each for each in every if fnmatchcase(str(getattr(each, place.key)), pattern)]:
                return fitting
        if place.assumed:
            return [load(place.kind, KINDS).Settings(root=root)]
    return []


def _found(kind: str, root: Path) -> list[SensorSettings]:
    module = KINDS[kind].partition(":")[0]
    return list(load(f"{module}:find", {})(root))
