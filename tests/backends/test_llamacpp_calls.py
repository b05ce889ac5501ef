"""Calls that a model writes into its answer come out as OpenAI's tool calls, however they were cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.sse import DONE
from backends.llamacpp_calls import PossibleCalls, RequiredCall
from tests.backends.kinds import events
from tests.fakes.openai_server import event

ARGUMENTS = '{"city": "Paris", "days": {"first": 1}}'
REQUIRED = '{\n  "name": "get_weather",\n "arguments": ' + ARGUMENTS + "\n}\n"
POSSIBLE = '<tool_call>\n{"name": "get_weather", "arguments": ' + ARGUMENTS + "}\n</tool_call>"

Calls = RequiredCall | PossibleCalls


def possible() -> PossibleCalls:
    return PossibleCalls(["get_weather"])


def told(calls: Calls, pieces: list[str], finish_reason: str = "stop") -> list[dict[str, Any]]:
    """The choices that come out when the model's words come in these pieces."""
    deltas = [{"role": "assistant", "content": None}, *({"content": piece} for piece in pieces), {}]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices[-1]["finish_reason"] = finish_reason
    usage = event({"choices": [], "usage": {"total_tokens": 3}})
    wire = [*(event({"choices": [choice]}) for choice in choices), usage, DONE]
    fed = [calls.feed(block) for block in wire]
    assert fed[-2:] == [usage, DONE]
    return [choice for each in events(b"".join(fed)) for choice in each["choices"]]


def called(choices: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(name, arguments) of each call, put together as a client does."""
    found: dict[int, list[str]] = {}
    for choice in choices:
        for call in choice["delta"].get("tool_calls", ()):
            name_and_arguments = found.setdefault(call["index"], ["", ""])
            name_and_arguments[0] += call["function"].get("name", "")
            name_and_arguments[1] += call["function"].get("arguments", "")
    return [(name, arguments) for name, arguments in found.values()]


def text(choices: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def cut(text: str, places: list[int]) -> list[str]:
    ends = [*sorted(place % len(text) for place in places), len(text)]
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


PLACES = st.lists(st.integers(min_value=0, max_value=200))


@given(PLACES)
def test_a_required_call_is_the_same_wherever_it_is_cut(places: list[int]) -> None:
    choices = told(RequiredCall(), cut(REQUIRED, places))

    assert called(choices) == [("get_weather", ARGUMENTS)]
    assert text(choices) == ""
    assert choices[-1]["finish_reason"] == "tool_calls"


def test_the_arguments_of_a_required_call_come_while_they_are_written() -> None:
    choices = told(RequiredCall(), list(REQUIRED))

    assert len(choices) > 20
    ids = [call["id"] for choice in choices for call in choice["delta"].get("tool_calls", ()) if "id" in call]
    assert len(ids) == 1


def test_a_required_call_that_is_cut_short_says_so_and_keeps_what_there_is() -> None:
    choices = told(RequiredCall(), ['{"name": "get_weather", "arguments": {"days": {"first": 1}'], "length")

    assert called(choices) == [("get_weather", '{"days": {"first": 1}')]
    assert choices[-1]["finish_reason"] == "length"


@given(PLACES)
def test_a_call_that_was_possible_is_the_same_wherever_it_is_cut(places: list[int]) -> None:
    choices = told(possible(), cut(POSSIBLE, places))

    assert [(name, json.loads(arguments)) for name, arguments in called(choices)] == [
        ("get_weather", json.loads(ARGUMENTS))
    ]
    assert text(choices) == ""
    assert choices[-1]["finish_reason"] == "tool_calls"


def test_several_calls_are_told_apart_by_their_index() -> None:
    assert [name for name, _ in called(told(possible(), [POSSIBLE + "\n" + POSSIBLE]))] == ["get_weather"] * 2


@given(PLACES)
def test_plain_words_are_the_same_wherever_they_are_cut(places: list[int]) -> None:
    words = "<tool_cabinet> is a Grüße 日本 word"
    choices = told(possible(), cut(words, places))

    assert text(choices) == words
    assert called(choices) == []
    assert choices[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "words",
    ["<tool_call>nonsense", '<tool_call>{"name": "other", "arguments": {}}</tool_call>', "<tool_call>[]", "<tool"],
)
def test_a_call_that_can_not_be_read_stays_what_it_is(words: str) -> None:
    choices = told(possible(), list(words))

    assert text(choices) == words
    assert choices[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize("calls", [RequiredCall(), possible()])
def test_an_event_that_is_no_json_is_a_value_error(calls: Calls) -> None:
    with pytest.raises(ValueError, match="unexpected"):
        calls.feed(b"data: {oops}\n\n")
