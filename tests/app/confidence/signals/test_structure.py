"""Tests of the form of an answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.structure import structure

OBJECT = {"type": "json_object"}


def _schema(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def _answer(text: str, **more: Any) -> Exchange:
    return Exchange(**{"question": "Who?", "text": text, "finish_reason": "stop", **more})


def test_json_that_was_asked_for_and_is_json_is_good() -> None:
    assert structure(_answer('{"a": 1}', response_format=OBJECT)) == {"bad_json": 0.0}


def test_json_in_a_fence_is_not_what_the_request_demands() -> None:
    assert structure(_answer('```json\n{"a": 1}\n```', response_format=OBJECT))["bad_json"] == 1.0


def test_json_is_held_against_its_schema() -> None:
    wanted = _schema({"type": "object", "required": ["a"]})
    assert structure(_answer('{"a": 1}', response_format=wanted)) == {"bad_json": 0.0, "bad_schema": 0.0}
    assert structure(_answer('{"b": 1}', response_format=wanted)) == {"bad_json": 0.0, "bad_schema": 1.0}
    assert structure(_answer('{"a": ', response_format=wanted)) == {"bad_json": 1.0, "bad_schema": 1.0}


@pytest.mark.parametrize("schema", [None, 7, {"type": "objekt"}, {"$ref": "http://127.0.0.1:9/x"}])
def test_without_a_good_schema_only_the_json_is_judged(schema: Any) -> None:
    assert structure(_answer("{}", response_format=_schema(schema))) == {"bad_json": 0.0}


def test_half_an_answer_is_not_judged() -> None:
    assert structure(_answer('{"a": ', response_format=OBJECT, finish_reason=None)) == {}


def test_a_tool_that_was_called_is_no_missing_json() -> None:
    assert structure(_answer("", response_format=OBJECT, calls=True)) == {}


@pytest.mark.parametrize(
    "question",
    ["Answer in JSON: who?", "Who? Return only a JSON object.", "Wer? Antworte als JSON.", "List it as JSON"],
)
def test_a_question_that_asks_for_json_gets_it_in_a_fence_or_not(question: str) -> None:
    assert structure(_answer('{"a": 1}', question=question)) == {"bad_json": 0.0}
    assert structure(_answer('Here:\n```json\n{"a": 1}\n```', question=question))["bad_json"] == 0.0
    assert structure(_answer("It was Ada.", question=question)) == {"bad_json": 1.0}


@pytest.mark.parametrize(
    "question",
    [
        "What is JSON?",
        "Write a function that returns a dict as JSON",
        "Parse this as JSON",
        "Is JSON only for the web?",
    ],
)
def test_a_question_about_json_does_not_ask_for_it(question: str) -> None:
    assert structure(_answer("Text.", question=question)) == {}


def test_the_share_of_the_blocks_that_do_not_parse_is_told() -> None:
    text = "```python\nx = 1\n```\n```python\nx = = 1\n```\n```\nwhat?\n```\n```json\n[1]\n```\n```js\nf(\n```"
    assert structure(_answer(text)) == {"bad_code": 0.5}


def test_no_block_that_can_be_told_is_no_share() -> None:
    assert structure(_answer("Text, and\n```\nx = = 1\n```")) == {}


def test_only_the_first_blocks_are_looked_at() -> None:
    assert structure(_answer("```python\nx = 1\n```\n" * 8 + "```python\n= =\n```\n")) == {"bad_code": 0.0}
    assert structure(_answer("```json\n" + "1" * 40_000 + "\n```\n```python\n= =\n```")) == {}


@given(st.text(st.sampled_from("`\npyjson{}[]\"':1, ~")), st.sampled_from((None, OBJECT, _schema({"type": "array"}))))
def test_whatever_is_written_the_values_are_shares(text: str, wanted: Any) -> None:
    values = structure(_answer(text, question="Answer in JSON", response_format=wanted))
    assert all(0.0 <= value <= 1.0 for value in values.values())
