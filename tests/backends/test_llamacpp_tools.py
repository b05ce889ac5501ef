"""Tools as llama.cpp takes them, and as a model without a place for them in its template is told of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.errors import JobRejectedError
from backends.llamacpp_tools import chosen, in_words, schema_of_a_call

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK: dict[str, Any] = {"type": "function", "function": {"name": "get_time"}}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}


def body(**more: Any) -> dict[str, Any]:
    return {"model": "small", "messages": [QUESTION], "tools": [WEATHER, CLOCK], **more}


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize("choice", [None, "auto", "none", "required"])
def test_a_choice_in_a_word_goes_on_as_it_came(choice: str | None) -> None:
    assert chosen(body(tool_choice=choice), "box") == body(tool_choice=choice)


def test_a_named_function_is_the_only_tool_and_required() -> None:
    asked = chosen(body(tool_choice=named("get_time")), "box")

    assert asked["tools"] == [CLOCK]
    assert asked["tool_choice"] == "required"


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools_are_the_only_ones_and_their_mode_is_kept(mode: str) -> None:
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [named("get_weather")]}}

    asked = chosen(body(tool_choice=allowed), "box")

    assert (asked["tools"], asked["tool_choice"]) == ([WEATHER], mode)


@pytest.mark.parametrize(
    "choice",
    [
        named("nope"),
        {"type": "function"},
        {},
        {"type": "custom", "custom": {"name": "get_time"}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": None}},
    ],
)
def test_a_choice_of_no_tool_that_is_there_is_the_callers_fault(choice: dict[str, Any]) -> None:
    with pytest.raises(JobRejectedError) as raised:
        chosen(body(tool_choice=choice), "box")

    assert (raised.value.status, raised.value.param) == (400, "tool_choice")


@pytest.mark.parametrize("tool", [{"type": "custom", "custom": {"name": "x"}}, {"type": "function"}])
def test_a_tool_that_is_no_function_is_the_callers_fault(tool: dict[str, Any]) -> None:
    with pytest.raises(JobRejectedError) as raised:
        chosen(body(tools=[tool]), "box")

    assert (raised.value.status, raised.value.param) == (400, "tools")


def test_the_system_is_told_of_the_tools_and_the_server_is_not() -> None:
    asked = in_words(body(parallel_tool_calls=False))

    assert set(asked) == {"model", "messages"}
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert json.dumps(CLOCK, separators=(",", ":")) in asked["messages"][0]["content"]


@pytest.mark.parametrize("content", ["Be short.", [{"type": "text", "text": "Be short."}]])
def test_what_the_system_says_already_comes_before_the_tools(content: Any) -> None:
    asked = in_words(body(messages=[{"role": "developer", "content": content}, QUESTION]))

    assert [message["role"] for message in asked["messages"]] == ["developer", "user"]
    assert asked["messages"][0]["content"].startswith("Be short.\n\n# Tools")


def test_a_required_call_is_the_schema_of_the_answer() -> None:
    asked = in_words(body(tool_choice="required"))

    assert asked["response_format"]["json_schema"]["schema"] == schema_of_a_call([WEATHER, CLOCK])


def test_where_no_tool_may_be_called_none_is_told() -> None:
    assert in_words(body(tool_choice="none")) == {"model": "small", "messages": [QUESTION]}


def test_a_call_and_what_came_of_it_are_told_as_the_model_would_have_written_them() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    said = [
        QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "18 degrees"}]},
    ]

    asked = in_words({"model": "small", "messages": said})

    assert asked["messages"] == [
        QUESTION,
        {
            "role": "assistant",
            "content": '<tool_call>\n{"name": "get_weather", "arguments": {"city":"Paris"}}\n</tool_call>',
        },
        {"role": "user", "content": "<tool_response>\n18 degrees\n</tool_response>"},
    ]


def test_references_inside_parameters_lead_to_where_they_are_in_the_schema_of_a_call() -> None:
    parameters = {
        "type": "object",
        "properties": {"place": {"$ref": "#/$defs/Place"}, "also": {"type": "array", "items": {"$ref": "#"}}},
        "$defs": {"Place": {"enum": ["Paris"]}},
    }
    tool = {"type": "function", "function": {"name": "go", "parameters": parameters}}

    moved = schema_of_a_call([CLOCK, tool])["$defs"]["tool1"]

    assert moved["properties"]["place"] == {"$ref": "#/$defs/tool1/$defs/Place"}
    assert moved["properties"]["also"]["items"] == {"$ref": "#/$defs/tool1"}
