"""From a kind in the configuration, or a user's own `package.module:Name`, to the thing itself, imported late."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from app.domain.errors import ConfigurationError


def load(kind: str, kinds: Mapping[str, str]) -> Any:
    """The class or function that the table, or else the kind itself, names."""
    target = kinds.get(kind, kind)
    module_name, colon, name = target.partition(":")
    if not (colon and module_name and name) or module_name.startswith("."):
        raise ConfigurationError(_unknown(kind, kinds))
    try:
        return getattr(importlib.import_module(module_name), name)
    except ImportError as error:
        raise ConfigurationError(f"{kind} cannot be loaded: {error}") from error
    except AttributeError as error:
        raise ConfigurationError(f"{kind} cannot be loaded: {module_name} has no {name}") from error


def _unknown(kind: str, kinds: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(kind, kinds, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(kinds)}"
    return f"the kind {kind} is unknown; {hint}"
