"""The gateway's own request headers: what the caller asks of the choice of a backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from app.domain.confidence import Judging
from app.domain.errors import BadRequestError
from app.domain.job import NO_WISHES, Priority, Wishes, Workload

Fields = Mapping[bytes, tuple[str, str, Callable[[str], Any]]]

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_MOST_RETRIES, _LONGEST_PATH = 10, 16
_PRIORITIES = {priority.word: priority for priority in Priority}


def read_wishes(headers: Mapping[bytes, bytes]) -> Wishes:
    """Raises BadRequestError naming a header whose value makes no sense."""
    if _NAMES.isdisjoint(headers):
        return NO_WISHES
    return Wishes(**_told(_FIELDS, headers), forwarding=_told(_POLICY, headers) or None)


def _told(fields: Fields, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for header, (field, shown, read) in fields.items():
        if header in headers:
            value = headers[header].decode("latin-1").strip()
            try:
                told[field] = read(value)
            except ValueError as error:
                raise BadRequestError(f"{shown} {error}", param=shown, code="invalid_value") from None
    return told


def _target(value: str) -> str:
    if not value:
        raise ValueError("names no backend.")
    return value


def _flag(value: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise ValueError("must be true or false.")


def _positive(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError("must be a number greater than 0.")
    return number


def _seconds(value: str) -> float:
    return _positive(value) / 1000


def _media_type(value: str) -> Workload:
    try:
        return Workload(value.lower())
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Workload)}.") from None


def _priority(value: str) -> Priority:
    try:
        return _PRIORITIES[value.lower()]
    except KeyError:
        raise ValueError(f"must be one of {', '.join(_PRIORITIES)}.") from None


#: By header: the wish that it is, the header as people write it, and what makes a value of its text.
_FIELDS: Fields = {
    b"x-target-backend": ("target", "X-Target-Backend", _target),
    b"x-latency-critical": ("latency_critical", "X-Latency-Critical", _flag),
    b"x-power-efficient": ("power_efficient", "X-Power-Efficient", _flag),
    b"x-max-latency-ms": ("max_latency_seconds", "X-Max-Latency-Ms", _seconds),
    b"x-max-power-watts": ("max_watts", "X-Max-Power-Watts", _positive),
    b"x-media-type": ("media_type", "X-Media-Type", _media_type),
    b"x-priority": ("priority", "X-Priority", _priority),
}


def _share(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise ValueError("must be a number from 0 to 1.")
    return number


def _judging(value: str) -> Judging:
    try:
        return Judging(value.lower())
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Judging)}.") from None


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) > _MOST_RETRIES:
        raise ValueError(f"must be a number from 0 to {_MOST_RETRIES}.")
    return int(value)


def _names(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not 0 < len(names) <= _LONGEST_PATH:
        raise ValueError(f"must name one to {_LONGEST_PATH} models, with commas between them.")
    return names


#: By header: the key of the policy of forwarding, and the rest as in `_FIELDS`.
_POLICY: Fields = {
    b"x-min-confidence": ("min_confidence", "X-Min-Confidence", _share),
    b"x-judging-mode": ("mode", "X-Judging-Mode", _judging),
    b"x-max-retries": ("max_retries", "X-Max-Retries", _count),
    b"x-escalation-path": ("escalation_path", "X-Escalation-Path", _names),
    b"x-respect-thermal-limits": ("respect_thermal_limits", "X-Respect-Thermal-Limits", _flag),
    b"x-return-best-attempt": ("return_best_attempt", "X-Return-Best-Attempt", _flag),
    b"x-max-joules": ("max_joules", "X-Max-Joules", _positive),
    b"x-max-cost": ("max_cost", "X-Max-Cost", _positive),
}

_NAMES = frozenset({*_FIELDS, *_POLICY})


def _in_any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


_TEXT = {"type": "string"}
_FLAG = {"type": "string", "pattern": f"^(?:{'|'.join(map(_in_any_case, sorted(_TRUE | _FALSE)))})$"}
_AMOUNT = {"type": "number", "exclusiveMinimum": 0}

#: For the API's description: the headers as people write them, and what their values may be.
SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "X-Target-Backend": _TEXT,
    "X-Latency-Critical": _FLAG,
    "X-Power-Efficient": _FLAG,
    "X-Max-Latency-Ms": _AMOUNT,
    "X-Max-Power-Watts": _AMOUNT,
    "X-Media-Type": {"type": "string", "enum": list(Workload)},
    "X-Priority": {"type": "string", "enum": list(_PRIORITIES)},
    "X-Min-Confidence": {"type": "number", "minimum": 0, "maximum": 1},
    "X-Judging-Mode": {"type": "string", "enum": list(Judging)},
    "X-Max-Retries": {"type": "integer", "minimum": 0, "maximum": _MOST_RETRIES},
    "X-Escalation-Path": _TEXT,
    "X-Respect-Thermal-Limits": _FLAG,
    "X-Return-Best-Attempt": _FLAG,
    "X-Max-Joules": _AMOUNT,
    "X-Max-Cost": _AMOUNT,
}
