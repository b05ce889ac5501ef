"""The settings of something that comes in kinds, each of which knows its own keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.domain.errors import ConfigurationError
from app.loader import load
from config.problems import problem

T = TypeVar("T", bound=BaseModel)


def read_kind(options: Mapping[str, Any], kinds: Mapping[str, str], base: type[T], path: str, noun: str) -> T:
    """Checked by the `Settings` of its kind, a `base`. Raises ConfigurationError with the YAML path."""
    kind = options.get("kind")
    if not isinstance(kind, str):
        raise ConfigurationError(f"`kind` is missing: one of {', '.join(sorted(kinds))}", path)
    try:
        model = getattr(load(kind, kinds), "Settings", None)
    except ConfigurationError as error:
        raise ConfigurationError(error.message, f"{path}.kind") from None
    if not (isinstance(model, type) and issubclass(model, base)):
        raise ConfigurationError(f"{kind} is no {noun}: it has no Settings", f"{path}.kind")
    try:
        return model.model_validate(options)
    except ValidationError as error:
        raise problem(error, model, path) from None
