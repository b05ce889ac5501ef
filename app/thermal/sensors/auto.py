"""Whatever this machine has that measures the zone's hardware, together as one sensor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from app.domain.backend import Hardware
from app.domain.thermal import Reading
from app.loader import load
from app.thermal.counter import Counter
from app.thermal.merge import merge
from app.thermal.sensor import KINDS, Sensor, SensorLostError, SensorSettings, Surroundings
from app.thermal.survey import suitable

logger = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 60.0

Find = Callable[[Path, Iterable[Hardware]], Sequence[SensorSettings]]


class AutoSettings(SensorSettings):
    """What there is."""

    kind: str = Field("auto", description="how it is measured")
    root: Path = Field(Path("/sys"), description="where sysfs is mounted")


@dataclass(slots=True)
class _Part:
    settings: SensorSettings
    sensor: Sensor
    last: Reading | None = None
    lost: str | None = None


class AutoSensor:
    """Looks when it is first read, and once a minute as long as nothing tells a temperature.

    A part that is lost leaves the others working and is tried again with every reading.
    """

    Settings = AutoSettings

    def __init__(self, settings: AutoSettings, surroundings: Surroundings, find: Find = suitable) -> None:
        self._settings = settings
        self._surroundings = surroundings
        self._find = find
        self._parts: list[_Part] = []
        self._looked: float | None = None
        self._thermometer = False
        self._energy = Counter()
        self._meter: _Part | None = None

    def read(self, now: float) -> Reading:
        if not self._thermometer and (self._looked is None or now - self._looked >= _LOOK_AGAIN_SECONDS):
            self._look(now)
        told = self._told(now)
        self._thermometer = any(reading.celsius is not None or reading.asleep for reading in told)
        if not told:
            raise SensorLostError(self._why_nothing())
        return replace(merge(told), joules=self._joules(now))

    def close(self) -> None:
        for part in self._parts:
            part.sensor.close()
        self._parts, self._looked, self._thermometer = [], None, False

    def _look(self, now: float) -> None:
        self._looked = now
        known = {part.settings: part for part in self._parts}
        found = self._find(self._settings.root, self._surroundings.hardware)
        self._parts = [known.pop(settings) if settings in known else self._built(settings) for settings in found]
        for part in known.values():
            part.sensor.close()

    def _why_nothing(self) -> str:
        hardware = ", ".join(sorted(self._surroundings.hardware)) or Hardware.CPU
        reasons = [f"{part.settings.kind}: {part.lost}" for part in self._parts]
        return "; ".join(reasons) or f"nothing here measures what the zone consists of ({hardware})"

    def _built(self, settings: SensorSettings) -> _Part:
        return _Part(settings, load(settings.kind, KINDS)(settings, self._surroundings))

    def _told(self, now: float) -> list[Reading]:
        for part in self._parts:
            if not self._is_fresh(part, now):
                self._ask(part, now)
        return [part.last for part in self._parts if part.last is not None]

    def _ask(self, part: _Part, now: float) -> None:
        before, kind, zone = part.lost, part.settings.kind, self._surroundings.zone
        try:
            part.last, part.lost = part.sensor.read(now), None
        except SensorLostError as error:
            part.last, part.lost = None, error.message
        if part.lost is not None and before is None:
            logger.info("zone %s: auto does without %s: %s", zone, kind, part.lost)
        elif part.lost is None and before is not None:
            logger.info("zone %s: auto has %s back", zone, kind)

    def _is_fresh(self, part: _Part, now: float) -> bool:
        """Whether it changes slowly, as a battery does, and was asked not long ago."""
        pace = part.settings.busy_seconds
        return part.last is not None and self._settings.busy_seconds < pace and now - part.last.at < pace

    def _joules(self, now: float) -> float | None:
        """One part's counter; where another has to step in, it goes on from there, for each has a start of its own."""
        meter = next((part for part in self._parts if part.last is not None and part.last.joules is not None), None)
        if meter is None or meter.last is None:
            return None
        if meter is not self._meter:
            self._energy.cut()
        self._meter = meter
        self._energy.count(meter.last.joules, now)
        return self._energy.total
