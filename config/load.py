"""From a YAML file and the environment to Settings; whatever is wrong is said with its YAML path."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.domain.errors import ConfigurationError
from config.problems import check_keys, problem
from config.settings import Settings

_MERGE = "tag:yaml.org,2002:merge"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def load_settings(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read, fill in `${ENV_NAME}`, let ISOTHERM_SERVER__PORT and its like win, check. Raises ConfigurationError."""
    tree = _filled_in(read_yaml(path), environ, "")
    if not isinstance(tree, dict):
        raise ConfigurationError(f"{path.name} holds no keys; see config/example.yaml")
    check_keys(tree, Settings)  # BaseSettings would take `_env_prefix` and its like as instructions
    try:
        return Settings(**tree)
    except ValidationError as error:
        raise problem(error, Settings) from None
    except SettingsError as error:
        raise ConfigurationError(f"an environment variable can't be read: {error}") from None


def read_yaml(path: Path) -> Any:
    """The file as plain data; a key that stands twice in one place is an error."""
    try:
        with path.open("rb") as file:
            return yaml.load(file, _UniqueKeys)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise ConfigurationError(f"{path.name} can't be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date or number that is none
        raise ConfigurationError(f"{path.name} is no YAML: {_fault(error)}") from None


def _fault(error: Exception) -> str:
    """In one line, and without the directories that PyYAML's own words have."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return str(error).partition("\n")[0]
    mark = error.problem_mark
    return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"


class _UniqueKeys(yaml.SafeLoader):
    """YAML says that keys are unique; PyYAML lets the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                where = key_node.start_mark
                raise ConfigurationError(f"`{key}` stands twice (line {where.line + 1})")
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _filled_in(tree: Any, environ: Mapping[str, str], path: str) -> Any:
    if isinstance(tree, dict):
        return {key: _filled_in(value, environ, f"{path}.{key}" if path else str(key)) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_filled_in(value, environ, f"{path}[{index}]") for index, value in enumerate(tree)]
    if isinstance(tree, str):
        return _VARIABLE.sub(lambda found: _value(found[1], environ, path), tree)
    return tree


def _value(name: str, environ: Mapping[str, str], path: str) -> str:
    if name not in environ:
        raise ConfigurationError(f"the environment variable {name} is not set", path)
    return environ[name]
