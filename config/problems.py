"""What is wrong with a configuration, said with the YAML path and, for an unknown key, the nearest known one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from app.domain.errors import ConfigurationError

Location = Sequence[int | str]


def problem(error: ValidationError, model: type[BaseModel], prefix: str = "") -> ConfigurationError:
    """The first finding of a failed validation of `model`, as an operator can use it. Values are never repeated."""
    first = error.errors(include_input=False, include_url=False)[0]
    location = _written(model, [part for part in first["loc"] if part != "[key]"])
    path = yaml_path(prefix, location)
    if first["type"] == "extra_forbidden":
        return ConfigurationError(_unknown(str(location[-1]), _known_keys(model, location[:-1])), path)
    message = first["msg"].removeprefix("Value error, ")
    return ConfigurationError(message[0].lower() + message[1:], path)


def check_keys(tree: Mapping[Any, Any], model: type[BaseModel]) -> None:
    """Raises ConfigurationError for a key at the top that is none of the model's."""
    for key in tree:
        if key not in model.model_fields:
            raise ConfigurationError(_unknown(str(key), list(model.model_fields)), str(key))


def yaml_path(prefix: str, location: Location) -> str:
    """`backends[0].threads` of ("backends", 0, "threads")."""
    path = prefix
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _unknown(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(known))}"
    return f"there is no such key; {hint}"


def _written(model: type[BaseModel], location: list[int | str]) -> list[int | str]:
    """The location without what pydantic adds for a value of several types: the name of the one that it tried."""
    annotation: Any = model
    for place, part in enumerate(location):
        inner = _model_in(annotation)
        if isinstance(part, int) or _is_mapping(annotation):
            continue
        if inner is None or part not in inner.model_fields:
            return location[:place] if inner is None else location
        annotation = inner.model_fields[part].annotation
    return location


def _is_mapping(annotation: Any) -> bool:
    return get_origin(annotation) is dict or any(map(_is_mapping, get_args(annotation)))


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(part, str) and current is not None and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
    return list(current.model_fields) if current is not None else []


def _model_in(annotation: Any) -> Any:
    """The settings class that an annotation such as `tuple[ApiKey, ...]` is about; None when there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_model_in, get_args(annotation)) if found is not None), None)
