"""Which JSON schemas may reach OpenVINO's structured output."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from backends.openvino_schema import UnsupportedSchemaError, strict


class Leaf(BaseModel):
    kind: Literal["oak"]
    height: float | None = None


class Tree(BaseModel):
    """A model as a client would write it."""

    name: str
    leaves: list[Leaf] = []
    season: Literal["spring", "autumn"] = "spring"


def test_a_pydantic_model_passes_without_its_annotations() -> None:
    passed = strict(Tree.model_json_schema())
    assert passed["required"] == ["name"]
    assert passed["properties"]["leaves"] == {"type": "array", "items": {"$ref": "#/$defs/Leaf"}}
    assert passed["properties"]["season"] == {"enum": ["spring", "autumn"], "type": "string"}
    assert "title" not in str(passed)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": ["string", "null"]},
        {"type": "object", "properties": {"title": {"type": "string"}}, "additionalProperties": False},
        {"anyOf": [{"type": "integer"}, {"const": 1}]},
    ],
)
def test_plain_schemas_stay_as_they_are(schema: dict[str, Any]) -> None:
    assert strict(schema) == schema


@pytest.mark.parametrize(
    "schema",
    [
        5,
        False,
        {"type": "objectt"},
        {"type": []},
        {"type": "string", "pattern": "("},
        {"type": "integer", "minimum": 9, "maximum": 3},
        {"not": {"type": "string"}},
        {"allOf": [{"type": "string"}]},
        {"enum": []},
        {"enum": ["größe"]},
        {"const": {"a": 1}},
        {"anyOf": []},
        {"$ref": "#"},
        {"$ref": "#/$defs/Missing"},
        {"$defs": []},
        {"type": "object", "required": 5},
        {"type": "object", "required": ["a"]},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {'a"b': {}}},
        {"type": "array", "items": [{}]},
        {"properties": {"a": {}}},
    ],
)
def test_what_can_not_be_enforced_is_refused(schema: Any) -> None:
    with pytest.raises(UnsupportedSchemaError):
        strict(schema)


KEYS = st.sampled_from(
    ["$defs", "$ref", "anyOf", "const", "enum", "items", "properties", "required", "type", "title", "x"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def test_a_bottomless_schema_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(2000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(UnsupportedSchemaError, match="too deeply"):
        strict(schema)


@given(JSON)
def test_any_json_is_either_passed_or_refused(schema: Any) -> None:
    with contextlib.suppress(UnsupportedSchemaError):
        strict(schema)
