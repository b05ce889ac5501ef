"""One reading out of what several sensors say of the same zone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from app.domain.thermal import Reading

#: How several values of a field become one; of every other field the first that is known counts.
_RULES: Mapping[str, Callable[[Iterable[Any]], Any]] = {
    "celsius": max,
    "fan_percent": max,
    "fan_rpm": max,
    "throttling": any,
    "limit_slowdown_celsius": min,
    "limit_shutdown_celsius": min,
}

#: What a model or a recording must not lend the look of a measurement.
_PHYSICAL = ("celsius", "watts", "joules")


def merge(readings: Sequence[Reading]) -> Reading:
    """The hottest temperature, the loudest fan, the lowest limits, throttling if any throttles; of the rest the first.

    `at` is the newest, for each of them was fresh when it was asked for. It is asleep if one is and nobody awake says
    how hot it is, and modelled if a temperature, a power or an energy is that went into it. At least one reading.
    """
    if len(readings) == 1:
        return readings[0]
    values = {name: _one(name, readings) for name in Reading.__dataclass_fields__}
    values["at"] = max(reading.at for reading in readings)
    values["asleep"] = values["celsius"] is None and any(reading.asleep for reading in readings)
    values["modelled"] = any(reading.modelled and _is_physical(reading) for reading in readings)
    return Reading(**values)


def _one(name: str, readings: Sequence[Reading]) -> Any:
    known = [value for reading in readings if (value := getattr(reading, name)) is not None]
    return _RULES.get(name, _first)(known) if known else None


def _first(values: Iterable[Any]) -> Any:
    return next(iter(values))


def _is_physical(reading: Reading) -> bool:
    return any(getattr(reading, name) is not None for name in _PHYSICAL)
