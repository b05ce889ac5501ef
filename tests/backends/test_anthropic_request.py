"""The parameters of a chat request come out as those of the Messages API."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import BadRequestError
from backends.anthropic_request import messages_request

USER = {"role": "user", "content": "hi"}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"properties": {"city": {}}}}}


def mapped(*, sampling: bool = True, **body: Any) -> dict[str, Any]:
    return messages_request({"model": "m", "messages": [USER], **body}, default_max_tokens=4096, sampling=sampling)


def test_a_plain_request_asks_for_a_stream_of_the_default_length() -> None:
    assert mapped() == {
        "model": "m",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_tokens": 7, "max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 40}, {"temperature": 0.5, "top_p": 0.9, "top_k": 40}),
        ({"temperature": 1, "top_p": 1.0}, {}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["a", "", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stop": []}, {}),
        ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
        ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
        ({"reasoning_effort": "xhigh"}, {"output_config": {"effort": "xhigh"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}),
        ({"response_format": {"type": "text"}}, {}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}},
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
        ({"seed": 1, "n": 2, "stream_options": {}, "min_p": 0.1}, {}),
        ({"tool_choice": "auto", "parallel_tool_calls": False, "tools": []}, {}),
    ],
)
def test_each_parameter_is_told_in_the_words_of_the_messages_api(asked: dict[str, Any], told: dict[str, Any]) -> None:
    assert mapped(**asked) == {**mapped(), **told}


def test_a_version_without_sampling_parameters_gets_none() -> None:
    assert mapped(sampling=False, temperature=0.5, top_p=0.9, top_k=40) == mapped()


def test_tools_keep_their_schema_which_is_always_of_an_object() -> None:
    strict = {"name": "stop", "description": "Ends it.", "strict": True}
    assert mapped(tools=[WEATHER, {"type": "function", "function": strict}])["tools"] == [
        {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {}}}},
        {"name": "stop", "description": "Ends it.", "strict": True, "input_schema": {"type": "object"}},
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "w"}}}, {"type": "tool", "name": "w"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"parallel_tool_calls": False, "tool_choice": "required"},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_the_choice_of_tools_is_told(asked: dict[str, Any], told: dict[str, Any] | None) -> None:
    assert mapped(tools=[WEATHER], **asked).get("tool_choice") == told


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"temperature": 1.5}, "temperature"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}, "response_format"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools"),
        ({"tools": ["weather"]}, "tools"),
        ({"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": "weather"}, "tool_choice"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_name(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        mapped(**body)
    assert caught.value.param == param
