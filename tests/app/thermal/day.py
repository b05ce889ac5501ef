"""A day of a graphics card and of a system on a chip as their sensors tell it, the same at every call.

Heat flows through a few stages, each with a thermal resistance and a time constant (a Foster network): a die follows
its load within seconds, what is around it within minutes. Work comes in bursts, the day is warmer and busier than the
night, a device that gets too hot slows itself down, and now and then a sensor says nothing for minutes.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SECONDS = 24 * 3600.0
COLUMNS = ("seconds", "celsius", "throttling", "fan_percent", "watts")

Row = dict[str, float | bool | None]


@dataclass(frozen=True)
class Stage:
    """Something that heat flows through."""

    kelvin_per_watt: float
    seconds: float


@dataclass(frozen=True)
class Machine:
    """Watts while idle and, between two limits, while it works. It slows down at `throttles_at` until 6 °C below."""

    stages: tuple[Stage, ...]
    idle_watts: float
    busy_watts: tuple[float, float]
    throttles_at: float
    throttled_share: float


GRAPHICS_CARD = Machine((Stage(0.03, 1.5), Stage(0.2, 45)), 15, (90, 300), throttles_at=90, throttled_share=0.6)
SYSTEM_ON_A_CHIP = Machine(
    (Stage(0.25, 1.2), Stage(1.2, 14), Stage(0.9, 240)), 3, (8, 28), throttles_at=87, throttled_share=0.5
)
MACHINES = {"graphics card": GRAPHICS_CARD, "system on a chip": SYSTEM_ON_A_CHIP}


@dataclass(frozen=True)
class Span:
    """Something that lasts: a burst of work with its power, or the silence of a sensor."""

    start: float
    end: float
    watts: float = 0.0


def rows(machine: Machine = GRAPHICS_CARD, seed: int = 1) -> Iterator[Row]:
    """One for each reading: every 0.25 s while it works, every second while it is warm, else every 5 s.

    What is None was not measured.
    """
    random_ = random.Random(seed)
    bursts, silences = list(_bursts(machine, random_)), list(_silences(random_))
    heat = [0.0] * len(machine.stages)
    seconds, throttling = 0.0, False
    while seconds < SECONDS:
        watts = _watts_at(bursts, seconds) or machine.idle_watts
        watts *= machine.throttled_share if throttling else 1.0
        celsius = _ambient(seconds) + sum(heat)
        throttling = celsius >= machine.throttles_at - (6 if throttling else 0)
        if _is_in(silences, seconds):
            yield dict.fromkeys(COLUMNS) | {"seconds": round(seconds, 3)}
        else:
            yield {
                "seconds": round(seconds, 3),
                "celsius": float(round(celsius + random_.gauss(0, 0.25))),
                "throttling": throttling,
                "fan_percent": round(min(100.0, max(20.0, 2.5 * (celsius - 50))), 1),
                "watts": round(watts * random_.uniform(0.97, 1.03), 1),
            }
        pace = 0.25 if watts > machine.idle_watts else 1.0 if celsius > 55 else 5.0
        step = pace * random_.uniform(0.95, 1.05)
        heat = [_flow(stage, kelvin, watts, step) for stage, kelvin in zip(machine.stages, heat, strict=True)]
        seconds += step


def write(file: Path, rows: Iterable[Row]) -> None:
    """As a recording for a sensor of the kind `replay`."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _flow(stage: Stage, kelvin: float, watts: float, step: float) -> float:
    target = stage.kelvin_per_watt * watts
    return target + (kelvin - target) * math.exp(-step / stage.seconds)


def _ambient(seconds: float) -> float:
    """Coldest at 4, warmest at 16 o'clock."""
    return 23 - 4 * math.cos((seconds / 3600 - 4) * math.pi / 12)


def _bursts(machine: Machine, random_: random.Random) -> Iterator[Span]:
    """Chats of some seconds to long batches, four times as often by day as by night."""
    start = 0.0
    while start < SECONDS:
        is_day = 8 <= start / 3600 < 22
        start += random_.expovariate(1 / (100 if is_day else 400))
        end = start + min(900.0, random_.lognormvariate(math.log(40), 1.1))
        yield Span(start, end, random_.uniform(*machine.busy_watts))
        start = end


def _silences(random_: random.Random) -> Iterator[Span]:
    for _ in range(6):
        start = random_.uniform(0, SECONDS)
        yield Span(start, start + random_.uniform(60, 600))


def _watts_at(bursts: list[Span], seconds: float) -> float | None:
    """Bursts that are over are dropped."""
    while bursts and bursts[0].end <= seconds:
        del bursts[0]
    return bursts[0].watts if bursts and bursts[0].start <= seconds else None


def _is_in(spans: list[Span], seconds: float) -> bool:
    return any(span.start <= seconds < span.end for span in spans)
