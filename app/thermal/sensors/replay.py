"""A recorded curve, played again: what a test or a demonstration has in place of hardware.

The file is CSV. Its first line names the columns: `seconds`, and fields of a reading (`celsius`, `watts`,
`battery.percent`, ...); an empty cell is unknown. Between two rows the earlier one holds: nothing is interpolated,
for a state such as throttling has nothing in between.
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from app.domain.thermal import Reading
from app.thermal.said import Said, lost
from app.thermal.sensor import SensorLostError, SensorSettings, Surroundings


class ReplaySettings(SensorSettings):
    """A recording."""

    kind: str = Field("replay", description="how it is measured")
    file: Path = Field(description="CSV with a header: `seconds`, `celsius`, and any other field of a reading")
    speed: float = Field(1, gt=0, le=1_000_000, description="recorded seconds that pass in one second")
    loop: bool = Field(True, description="begin anew at the end; otherwise the last row holds")


@dataclass(frozen=True, slots=True)
class Curve:
    """`rows` hold from their `seconds` on, which rise from 0."""

    seconds: tuple[float, ...]
    rows: tuple[Reading, ...]

    def at(self, seconds: float, *, loop: bool) -> Reading:
        """What was recorded that long after the first row. The last row lasts as long as the one before it."""
        if loop and len(self.seconds) > 1:
            seconds %= 2 * self.seconds[-1] - self.seconds[-2]
        return self.rows[bisect_right(self.seconds, seconds) - 1]


class ReplaySensor:
    """The first reading starts the recording."""

    Settings = ReplaySettings

    def __init__(
        self,
        settings: ReplaySettings,
        surroundings: Surroundings,  # noqa: ARG002 (every kind is built alike)
    ) -> None:
        self._settings = settings
        self._curve: Curve | None = None
        self._started = 0.0

    def read(self, now: float) -> Reading:
        if self._curve is None:
            self._curve = read_curve(self._settings.file)
            self._started = now
        row = self._curve.at((now - self._started) * self._settings.speed, loop=self._settings.loop)
        return replace(row, at=now)

    def close(self) -> None:
        """The file is closed as soon as it was read."""


def read_curve(file: Path) -> Curve:
    """Raises SensorLostError that names the line."""
    try:
        with file.expanduser().open(encoding="utf-8-sig", newline="") as lines:
            rows = list(_rows(csv.reader(lines, strict=True)))
    except OSError as error:
        raise SensorLostError(f"{file.name} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SensorLostError(f"{file.name} is no text in UTF-8") from None
    except SensorLostError as error:
        raise SensorLostError(f"{file.name}, {error.message}") from None
    if not rows:
        raise SensorLostError(f"{file.name} has no rows")
    start = rows[0][0]
    return Curve(tuple(seconds - start for seconds, _ in rows), tuple(reading for _, reading in rows))


def _rows(lines: Any) -> Iterator[tuple[float, Reading]]:
    header: list[str] | None = None
    last = float("-inf")
    try:
        for cells in lines:
            if not cells:
                continue
            if header is None:
                header = _header(cells)
                continue
            seconds, reading = _row(header, cells)
            if seconds <= last:
                raise SensorLostError("seconds must rise")
            last = seconds
            yield seconds, reading
    except (SensorLostError, csv.Error) as error:
        raise SensorLostError(f"line {lines.line_num}: {error}") from None


def _header(cells: list[str]) -> list[str]:
    header = [name.strip() for name in cells]
    if "seconds" not in header:
        raise SensorLostError("the header has no column `seconds`")
    if len(set(header)) < len(header):
        raise SensorLostError("two columns have the same name")
    return header


def _row(header: list[str], cells: list[str]) -> tuple[float, Reading]:
    if len(cells) != len(header):
        raise SensorLostError(f"it has {len(cells)} cells, the header {len(header)}")
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    try:
        seconds = float(values.pop("seconds"))
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise SensorLostError("seconds: it is no number")
    try:
        return seconds, Said.model_validate_strings(_nested(values)).reading(0.0, modelled=True)
    except ValidationError as error:
        raise lost(error) from None


def _nested(values: Mapping[str, str]) -> dict[str, Any]:
    """`battery.percent` is the percent of the battery; empty cells are left out."""
    nested: dict[str, Any] = {}
    for name, value in values.items():
        outer, dot, inner = name.partition(".")
        if value and dot:
            nested.setdefault(outer, {})[inner] = value
    return nested | {name: value for name, value in values.items() if value and "." not in name}
