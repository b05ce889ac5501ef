"""The gateway's own request headers: what the caller asks of the choice of a backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from app.domain.errors import BadRequestError
from app.domain.job import NO_WISHES, Priority, Wishes, Workload

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_PRIORITIES = {priority.word: priority for priority in Priority}


def read_wishes(headers: Mapping[bytes, bytes]) -> Wishes:
    """Raises BadRequestError naming a header whose value makes no sense."""
    if _FIELDS.keys().isdisjoint(headers):
        return NO_WISHES
    told: dict[str, Any] = {}
    for header, (field, shown, read) in _FIELDS.items():
        if header in headers:
            value = headers[header].decode("latin-1").strip()
            try:
                told[field] = read(value)
            except ValueError as error:
                raise BadRequestError(f"{shown} {error}", param=shown, code="invalid_value") from None
    return Wishes(**told)


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
_FIELDS: Mapping[bytes, tuple[str, str, Callable[[str], Any]]] = {
    b"x-target-backend": ("target", "X-Target-Backend", _target),
    b"x-latency-critical": ("latency_critical", "X-Latency-Critical", _flag),
    b"x-power-efficient": ("power_efficient", "X-Power-Efficient", _flag),
    b"x-max-latency-ms": ("max_latency_seconds", "X-Max-Latency-Ms", _seconds),
    b"x-max-power-watts": ("max_watts", "X-Max-Power-Watts", _positive),
    b"x-media-type": ("media_type", "X-Media-Type", _media_type),
    b"x-priority": ("priority", "X-Priority", _priority),
}

_TEXT, _FLAG = {"type": "string"}, {"type": "boolean"}
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
}
