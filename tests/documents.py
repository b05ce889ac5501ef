"""What the README lists, made from the code: cog puts it in, `make check` sees that it is in step."""

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from app.loader import load
from app.main import create_app
from app.thermal.sensor import KINDS as SENSORS
from app.thermal.sensor import SensorSettings
from backends.base import KINDS, BackendSettings
from config.settings import Settings
from routers.openapi import description


def endpoints() -> str:
    """A table of all doors, from the gateway's own OpenAPI description."""
    paths = description(create_app(Settings(), Path))["paths"]
    rows = [
        f"| `{method.upper()} {path}` | {operation.get('description') or operation['summary']} |"
        for path, operations in sorted(paths.items())
        for method, operation in operations.items()
    ]
    return "\n".join(["", "| endpoint | what it does |", "|---|---|", *(row.replace("\n", " ") for row in rows), ""])


def settings() -> str:
    """A table of all keys: those of every backend and sensor first, then what each kind adds."""
    rows = [*_rows(Settings, "", leave_out={"backends"})]
    rows += _rows_of_kinds(SensorSettings, SENSORS, "zones[].sensor.")
    rows += _rows_of_kinds(BackendSettings, KINDS, "backends[].")
    return "\n".join(["", "| key | default | what it does |", "|---|---|---|", *rows, ""])


def _rows_of_kinds(common: type[BaseModel], kinds: Mapping[str, str], prefix: str) -> Iterator[str]:
    yield from _rows(common, prefix)
    for kind in sorted(kinds):
        model = load(kind, kinds).Settings
        yield from _rows(model, prefix, leave_out=set(common.model_fields), note=f" ({kind})")


def keys(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The path of every key, as `server.api_keys[].name`."""
    for row in _rows(model, prefix):
        yield row.split("`")[1]


def _rows(model: type[BaseModel], prefix: str, leave_out: Container[str] = (), note: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name in leave_out:
            continue
        inner, many = _model_in(field.annotation)
        if inner is not None:
            yield from _rows(inner, f"{prefix}{name}{many}.", note=note)
        else:
            default = _default(field.get_default(call_default_factory=True))
            yield f"| `{prefix}{name}`{note} | {default} | {field.description} |"


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The settings class inside, and how it is written that there may be many of it: in a list, or by names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin = get_origin(annotation)
    for part in get_args(annotation):
        inner, many = _model_in(part)
        if inner is not None:
            return inner, many if origin in (Union, UnionType) else ".*" if origin is dict else "[]"
    return None, ""


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "needed"
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(list(value) if isinstance(value, tuple) else value)
    return f"`{text}`"
