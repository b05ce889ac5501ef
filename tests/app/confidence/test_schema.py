"""Tests of a value against its schema: fits, does not, can't be told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.schema import fits

TREE = {
    "type": "object",
    "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}},
    "additionalProperties": False,
}


def _doubling(levels: int) -> dict[str, Any]:
    parts = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**parts, f"a{levels}": {"type": "integer"}}}


def _nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_a_value_fits_or_does_not() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    assert fits(schema, {"a": 1}) is True
    assert fits(schema, {"a": "1"}) is False


def test_a_schema_may_name_its_own_parts() -> None:
    assert fits(TREE, {"left": {"right": {}}}) is True
    assert fits(TREE, {"left": {"middle": {}}}) is False
    assert fits(_doubling(4), 1) is True


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/x"},
        {"$ref": "file:///etc/hostname"},
        {"$id": "http://127.0.0.1:9/x", "$ref": "other.json"},
        {"$schema": "http://127.0.0.1:9/own"},
        {"$ref": "#/$defs/gone"},
        {"$ref": "#/type/0", "type": "object"},
        {"type": "objekt"},
        {"pattern": "(?=a)b"},
        {"pattern": "(a{1000}){1000}"},
        {"multipleOf": 0},
    ],
)
def test_no_schema_and_one_that_points_elsewhere_cannot_be_told(schema: dict[str, Any]) -> None:
    assert fits(schema, 1) is None


def test_a_schema_that_doubles_at_each_step_is_not_tried() -> None:
    assert fits(_doubling(30), 1) is None


def test_a_schema_that_doubles_at_each_level_of_the_value_is_not_tried() -> None:
    schema = {"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}, {"$ref": "#"}]}}}
    assert fits(schema, _nested(3)) is True
    assert fits(schema, _nested(26)) is None


def test_a_value_that_nests_deeper_than_can_be_read_cannot_be_told() -> None:
    assert fits({"type": "object"}, _nested(5000)) is None


def test_a_pattern_that_blows_up_elsewhere_takes_linear_time() -> None:
    assert fits({"pattern": "^(a+)+$"}, "a" * 100_000 + "b") is False


@given(
    st.dictionaries(
        st.sampled_from(("$ref", "type", "allOf", "properties", "pattern", "$defs", "enum")),
        st.recursive(
            st.none() | st.integers() | st.text() | st.sampled_from(("#", "#/allOf/0", "object")),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("$ref", "a", "not")), inner),
            max_leaves=8,
        ),
    ),
    st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.dictionaries(st.text(), st.none()),
)
def test_no_schema_raises(schema: dict[str, Any], value: Any) -> None:
    assert fits(schema, value) in (True, False, None)
