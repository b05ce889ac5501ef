"""The JSON schemas that OpenVINO's structured output is trusted with: a strict subset, everything else refused.

Refused rather than passed on, because OpenVINO GenAI 2026.4 (xgrammar) ignores what it doesn't know (`not`,
`allOf`, unknown formats), writes wrong letters for names and constants outside ASCII, and one schema that it
can't compile leaves a batching pipeline unusable for every other job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_ANNOTATIONS = frozenset(["$schema", "default", "description", "examples", "title"])
_SCALARS = frozenset(["string", "number", "integer", "boolean", "null"])
_DEFINITION = "#/$defs/"

Schema = dict[str, Any] | bool


class UnsupportedSchemaError(ValueError):
    """Says which part of the schema can't be enforced."""


def strict(schema: Any) -> dict[str, Any]:
    """The schema without its annotations. Raises UnsupportedSchemaError."""
    if not isinstance(schema, dict):
        raise UnsupportedSchemaError("a schema must be an object")
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, dict):
        raise UnsupportedSchemaError("$defs must be an object")
    names = frozenset(_DEFINITION + _ascii(name) for name in definitions)
    root = {key: value for key, value in schema.items() if key != "$defs"}
    try:
        described = {name: _plain(value, names) for name, value in definitions.items()}
        return {**_object(root, names), **({"$defs": described} if described else {})}
    except RecursionError as error:
        raise UnsupportedSchemaError("it is nested too deeply") from error


def _plain(schema: Any, names: frozenset[str]) -> Schema:
    return True if schema is True else _object(schema, names)


def _object(schema: Any, names: frozenset[str]) -> dict[str, Any]:
    if not isinstance(schema, dict):
        raise UnsupportedSchemaError("a schema must be an object")
    wanted = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
    family = next((key for key in ("$ref", "anyOf", "enum", "const") if key in wanted), "type")
    allowed = _allowed(wanted, family)
    if unknown := sorted(wanted.keys() - allowed):
        raise UnsupportedSchemaError(f"the keyword {unknown[0]!r} can't be enforced here")
    return {key: _CHECKS[key](value, names) for key, value in wanted.items()} | _required(wanted)


def _allowed(wanted: Mapping[str, Any], family: str) -> set[str]:
    if family in ("enum", "const"):
        return {family, "type"}
    if family in ("$ref", "anyOf"):
        return {family}
    types = _types(wanted["type"], frozenset()) if "type" in wanted else []
    of_objects = {"properties", "required", "additionalProperties"} if "object" in types else set()
    return {"type"} | of_objects | ({"items"} if "array" in types else set())


def _required(wanted: Mapping[str, Any]) -> dict[str, Any]:
    if "required" not in wanted:
        return {}
    required, properties = wanted["required"], wanted.get("properties", {})
    if not isinstance(required, list) or any(not isinstance(name, str) or name not in properties for name in required):
        raise UnsupportedSchemaError("each name in 'required' must be one of 'properties'")
    return {"required": required}


def _types(value: Any, _names: frozenset[str]) -> Any:
    types = value if isinstance(value, list) else [value]
    if not types or any(not isinstance(one, str) or one not in _SCALARS | {"object", "array"} for one in types):
        raise UnsupportedSchemaError("'type' must name JSON types")
    return value


def _properties(value: Any, names: frozenset[str]) -> Any:
    if not isinstance(value, dict):
        raise UnsupportedSchemaError("'properties' must be an object")
    return {_name(key): _plain(one, names) for key, one in value.items()}


def _any_of(value: Any, names: frozenset[str]) -> Any:
    if not isinstance(value, list) or not value:
        raise UnsupportedSchemaError("'anyOf' must be a list of schemas")
    return [_plain(one, names) for one in value]


def _enum(value: Any, names: frozenset[str]) -> Any:
    if not isinstance(value, list) or not value:
        raise UnsupportedSchemaError("'enum' must be a list of values")
    return [_constant(one, names) for one in value]


def _constant(value: Any, _names: frozenset[str]) -> Any:
    if isinstance(value, dict | list):
        raise UnsupportedSchemaError("only strings, numbers, booleans and null can be constants here")
    return _ascii(value) if isinstance(value, str) else value


def _reference(value: Any, names: frozenset[str]) -> Any:
    if not isinstance(value, str) or value not in names:
        raise UnsupportedSchemaError("'$ref' must name one of '$defs'")
    return value


def _closed(value: Any, names: frozenset[str]) -> Any:
    return value if value is False else _plain(value, names)


def _name(text: str) -> str:
    if set(text) & set('"\\'):
        raise UnsupportedSchemaError("names with quotes or backslashes can't be enforced here")
    return _ascii(text)


def _ascii(text: str) -> str:
    if not text.isascii() or not (text.isprintable() or text == ""):
        raise UnsupportedSchemaError("names and constants must be printable ASCII here")
    return text


_CHECKS: dict[str, Callable[[Any, frozenset[str]], Any]] = {
    "$ref": _reference,
    "additionalProperties": _closed,
    "anyOf": _any_of,
    "const": _constant,
    "enum": _enum,
    "items": _plain,
    "properties": _properties,
    "required": lambda value, _names: value,
    "type": _types,
}
