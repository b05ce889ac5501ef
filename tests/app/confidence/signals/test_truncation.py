"""Whether an answer was cut off."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.truncation import truncation

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def is_unclosed(text: str, response_format: dict[str, Any] | None = None) -> bool:
    exchange = Exchange("q", text, finish_reason="stop", response_format=response_format)
    return truncation(exchange)["unclosed"] == 1.0


def test_while_the_answer_is_written_nothing_is_cut_off() -> None:
    assert truncation(Exchange("q", "```python\nx = 1")) == {}


def test_an_answer_that_met_its_limit_is_cut_off() -> None:
    assert truncation(Exchange("q", "Par", finish_reason="length"))["truncated"] == 1.0
    assert truncation(Exchange("q", "Paris", finish_reason="stop"))["truncated"] == 0.0


@pytest.mark.parametrize(
    "text", ["```python\nx = 1", "So:\n```\na\n```\nand\n~~~\nb", "````md\n```\nx\n```\n", "```\nx\n``` y"]
)
def test_an_open_fence_is_unclosed(text: str) -> None:
    assert is_unclosed(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris",
        "```\nx = 1\n```",
        "````md\n```\nx\n````",
        "~~~\n```\n~~~",
        "Type ``` to open one.",
        "- a\n  ```\n  x\n  ```",
    ],
)
def test_a_closed_fence_is_closed(text: str) -> None:
    assert not is_unclosed(text)


@pytest.mark.parametrize(
    "text",
    ['{"a": 1', '{"a": tr', '{"a": "x', '{"a": "x\\', '{"a": "\\u00', '{"a":', "{", "[1, 2,", '[{"a": [1]}', '{"a": -'],
)
def test_json_that_ends_in_the_middle_is_unclosed(text: str) -> None:
    assert is_unclosed(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        "[1, 2]",
        "[1] Paris is a town.",
        "[Paris](https://paris.fr)",
        '{"a" 1}',
        "{x} is a set",
        "[1]",
        "{}",
        '{"a": b}',
        '{"a": 1 b',
    ],
)
def test_json_that_is_whole_or_wrong_elsewhere_and_what_is_none_are_not(text: str) -> None:
    assert not is_unclosed(text)


def test_where_json_was_asked_for_a_brace_begins_it() -> None:
    assert is_unclosed("{  ", {"type": "json_object"})
    assert not is_unclosed("", {"type": "json_schema"})


def test_json_with_a_number_of_thousands_of_digits_is_read() -> None:
    assert not is_unclosed('{"a": ' + "1" * 5000 + "}")


def test_of_json_nested_too_deep_nothing_is_told() -> None:
    assert "unclosed" not in truncation(Exchange("q", "[" * 200_000, finish_reason="stop"))


def is_unended(text: str) -> bool:
    return truncation(Exchange("q", text, finish_reason="stop"))["unended"] == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "She sells the remainder for 2 dollars",
        "First.\nThen in the end he pays 130,00",
        "その後 he went to the place where",
    ],
)
def test_a_last_line_that_is_no_whole_sentence_is_unended(text: str) -> None:
    assert is_unended(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris",
        "The cat sat on the mat.",
        "He said “come here to me now”",
        "All of it:\n- one two three four five six",
        "# A heading of more than five words",
        "Is it really so, my dear friend?",
    ],
)
def test_names_items_and_whole_sentences_are_ended(text: str) -> None:
    assert not is_unended(text)


def test_the_text_beside_a_tool_call_is_not_looked_at() -> None:
    assert truncation(Exchange("q", "```", finish_reason="tool_calls", calls=True))["unclosed"] == 0.0


@given(st.dictionaries(st.text(), VALUES, min_size=1), st.data())
def test_every_beginning_of_json_is_unclosed_and_the_whole_is_not(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = data.draw(st.integers(1, len(text) - 1))

    assert not is_unclosed(text)
    assert is_unclosed(text[:cut])


@given(st.text(), st.sampled_from([None, "stop", "length", "content_filter", ""]), st.booleans())
def test_values_are_ones_and_zeros(text: str, finish: str | None, calls: bool) -> None:
    assert set(truncation(Exchange("q", text, finish_reason=finish, calls=calls)).values()) <= {0.0, 1.0}


@pytest.mark.parametrize("piece", ["```\n", " ", "\n>", '{"', "`", '[1,"', "\\"])
def test_a_long_answer_is_read_in_no_time(piece: str) -> None:
    assert truncation(Exchange("q", piece * 50_000, finish_reason="stop"))["truncated"] == 0.0
