"""The energy that a CPU package counts itself: Intel's RAPL, which AMD has too.

Kernel: Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import Field

from app.domain.thermal import Reading
from app.thermal.counter import Counter
from app.thermal.sensor import SensorLostError, SensorSettings, Surroundings
from app.thermal.sysfs import ForbiddenError, Sysfs

_MICRO = 1e-6
_HOW_TO_ALLOW = (
    "only root may read energy_uj (Linux 5.10 and later). Let a group of this process' read it with a udev rule: "
    'ACTION=="add", SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", '
    'RUN+="/bin/chgrp GROUP /sys%p/energy_uj", RUN+="/bin/chmod g+r /sys%p/energy_uj"'
)


class RaplSettings(SensorSettings):
    """Which part of which package."""

    kind: str = Field("rapl", description="how it is measured")
    domain: str = Field(
        "package-0", description="what is counted: package-0, psys, core, uncore, dram; or in full as package-1/core"
    )
    root: Path = Field(Path("/sys"), description="where sysfs is mounted")


def find(root: Path) -> Iterator[RaplSettings]:
    """Every domain, also those that only root may read."""
    with closing(Sysfs(root)) as sysfs:
        for domain in _domains(sysfs):
            yield RaplSettings(domain=domain, root=root)


class RaplSensor:
    """Energy from the counter, watts from its rise since the look before."""

    Settings = RaplSettings

    def __init__(self, settings: RaplSettings, surroundings: Surroundings) -> None:  # noqa: ARG002 (all are built alike)
        self._settings = settings
        self._sysfs = Sysfs(settings.root)
        self._folder: Path | None = None
        self._energy = Counter()

    def read(self, now: float) -> Reading:
        try:
            return self._measured(now)
        except SensorLostError as error:
            self._energy.cut()
            self.close()
            if isinstance(error, ForbiddenError):
                raise SensorLostError(_HOW_TO_ALLOW) from error
            raise

    def close(self) -> None:
        self._folder = None
        self._sysfs.close()

    def _measured(self, now: float) -> Reading:
        if self._folder is None:
            self._folder = self._found()
            self._energy.spans = _spans(self._sysfs.number(self._folder / "max_energy_range_uj"))
        microjoules = self._sysfs.number(self._folder / "energy_uj")
        if microjoules is None:
            raise SensorLostError(f"RAPL's {self._settings.domain} says nothing of its energy")
        self._energy.count(microjoules, now)
        watts, joules = self._energy.per_second, self._energy.total
        return Reading(
            at=now,
            watts=watts * _MICRO if watts is not None else None,
            joules=joules * _MICRO if joules is not None else None,
        )

    def _found(self) -> Path:
        """The first domain of that name, with its package's name before it or without."""
        domains = _domains(self._sysfs)
        for name, folder in domains.items():
            if self._settings.domain in (name, name.rpartition("/")[2]):
                return folder
        raise SensorLostError(
            f"RAPL has no domain {self._settings.domain} here, but {', '.join(domains)}"
            if domains
            else "there is no RAPL here: the processor has none, or the container hides it"
        )


def _spans(most: float | None) -> tuple[float, ...]:
    return (most,) if most else ()


def _domains(sysfs: Sysfs) -> dict[str, Path]:
    """Folders by name; a part of a package is called after it, as in `package-0/core`."""
    folders = {folder.name: folder for folder in sysfs.glob("class/powercap/intel-rapl:*")}
    names = {key: name for key, folder in folders.items() if (name := sysfs.identity(folder / "name"))}
    domains: dict[str, Path] = {}
    for key, name in names.items():
        package = names.get(key.rpartition(":")[0])
        domains.setdefault(f"{package}/{name}" if package else name, folders[key])
    return domains
