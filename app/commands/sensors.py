"""`isotherm sensors`: what this machine has to measure with, and what it says now."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import yaml

from app.domain.thermal import Battery, Reading
from app.loader import load
from app.thermal.poller import Poller
from app.thermal.sensor import KINDS, SensorSettings, Surroundings
from app.thermal.survey import survey

_BETWEEN_SECONDS = 1.1  # load, and power out of a counter, take two readings; an NPU's is looked at once a second
_PATIENCE_SECONDS = 5.0
_COLUMNS = ("kind", "°C", "W", "fan", "load", "slows at °C", "off at °C", "battery", "sensor:")
_AUTO = """
A zone takes one of these as its `sensor`, a list of them, or whatever fits its hardware: {kind: auto}
"""
_NOTHING = """
Nothing here says how hot this machine is. A zone can be measured by a program of your own that prints JSON, such as
{"celsius": 61.5}, or be simulated by the work that its backends do:

  zones:
    - {id: box, sensor: {kind: command, command: [my-program]}}
    - {id: model, sensor: {kind: simulated}}
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What one sensor said, or the `problem` that there was."""

    settings: SensorSettings
    reading: Reading | None = None
    problem: str | None = None


def add_to(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    configuration: Path,  # noqa: ARG001 (it is about the machine)
) -> None:
    parser = commands.add_parser("sensors", help="list what this machine measures, and what it says now")
    parser.add_argument("--root", type=Path, default=Path("/sys"), metavar="DIR", help="where sysfs is mounted")
    parser.add_argument("--json", action="store_true", help="for programs, with every field")
    parser.set_defaults(command=sensors)


def sensors(options: argparse.Namespace) -> int:
    """Settings to paste into a zone, beside what they measure."""
    looks = look(list(survey(options.root)))
    if options.json:
        sys.stdout.write(orjson.dumps([_as_json(each) for each in looks], option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        sys.stdout.write(table(looks))
    return 0


def look(
    found: Sequence[SensorSettings],
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    patience_seconds: float = _PATIENCE_SECONDS,
) -> list[Look]:
    """Read each twice, all side by side; one that hangs is left behind in its thread."""
    pollers = [Poller(load(each.kind, KINDS)(each, Surroundings("survey")), each, clock) for each in found]
    threads = [Thread(target=_read_twice, args=(poller, pause), daemon=True) for poller in pollers]
    for thread in threads:
        thread.start()
    until = time.monotonic() + patience_seconds
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    hang = f"it hangs: it said nothing in {patience_seconds:g} s"
    return [
        _seen(poller, hang if thread.is_alive() else poller.lost)
        for poller, thread in zip(pollers, threads, strict=True)
    ]


def _read_twice(poller: Poller, pause: Callable[[float], None]) -> None:
    poller.read()
    pause(_BETWEEN_SECONDS)
    poller.read()
    poller.stop()


def _seen(poller: Poller, problem: str | None) -> Look:
    return Look(poller.settings, poller.reading if problem is None else None, problem)


def table(looks: Iterable[Look]) -> str:
    """For a person: a line for each, and what is wrong under those that can't be read."""
    looks = list(looks)
    rows = [_COLUMNS, *(_row(each) for each in looks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for index in reversed(range(len(looks))):
        if (problem := looks[index].problem) is not None:
            lines.insert(index + 2, f"    can't be read: {problem}")
    known = any(each.reading is not None and each.reading.celsius is not None for each in looks)
    return "\n".join(lines) + "\n" + (_AUTO if known else _NOTHING)


def _row(each: Look) -> tuple[str, ...]:
    reading = each.reading or Reading(0.0)
    return (
        each.settings.kind,
        "asleep" if reading.asleep else _said(reading.celsius, "{:.1f}"),
        _said(reading.watts, "{:.1f}"),
        _fan(reading),
        _said(reading.utilisation, "{:.0%}").replace("%", " %"),
        _said(reading.limit_slowdown_celsius, "{:.0f}"),
        _said(reading.limit_shutdown_celsius, "{:.0f}"),
        _battery(reading.battery),
        _as_yaml(each.settings),
    )


def _said(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _fan(reading: Reading) -> str:
    turns = [_said(reading.fan_percent, "{:.0f} %"), _said(reading.fan_rpm, "{:.0f} rpm")]
    return " ".join(turn for turn in turns if turn != "-") or "-"


def _battery(battery: Battery | None) -> str:
    if battery is None:
        return "-"
    giving = "plugged in" if battery.plugged else "discharging"
    watts = f", {battery.watts:.1f} W" if battery.watts else ""
    return f"{battery.percent:.0f} % {giving}{watts}"


def _as_yaml(settings: SensorSettings) -> str:
    """As it stands behind `sensor:` in a zone."""
    text: str = yaml.safe_dump(_told(settings), default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip()


def _told(settings: SensorSettings) -> dict[str, Any]:
    """The kind, and the keys that are not at their defaults."""
    return {"kind": settings.kind, **settings.model_dump(mode="json", exclude_defaults=True)}


def _as_json(each: Look) -> dict[str, Any]:
    reading = None if each.reading is None else asdict(each.reading)
    return {"sensor": _told(each.settings), "reading": reading, "problem": each.problem}
