"""OpenAI's bodies in Ollama's words."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import BadRequestError
from backends.ollama_shape import chat_request, complete_request, embed_request

SCHEMA = {"type": "json_schema", "json_schema": {"name": "list", "schema": {"type": "array"}}}
USER = {"role": "user", "content": "Hi"}


def asked(**more: Any) -> dict[str, Any]:
    return chat_request({"model": "small", "messages": [USER], **more})


def told(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chat_request({"model": "small", "messages": messages})["messages"]
    return found


def test_a_plain_chat_never_has_its_prompt_cut_or_pushed_out() -> None:
    assert asked() == {
        "model": "small",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "truncate": False,
        "shift": False,
        "options": {},
    }


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"temperature": 0.5, "top_p": 0.9, "seed": 7}, {"temperature": 0.5, "top_p": 0.9, "seed": 7}),
        ({"presence_penalty": 1, "frequency_penalty": -1}, {"presence_penalty": 1, "frequency_penalty": -1}),
        ({"temperature": 0, "seed": 0}, {"temperature": 0, "seed": 0}),
        ({"temperature": None}, {}),
        ({"stop": "END"}, {"stop": ["END"]}),
        ({"stop": ["A", "B"]}, {"stop": ["A", "B"]}),
        ({"max_tokens": 5}, {"num_predict": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 9}, {"num_predict": 9}),
        ({"top_k": 3, "min_p": 0.1, "repeat_penalty": 1.1}, {"top_k": 3, "min_p": 0.1, "repeat_penalty": 1.1}),
        ({"options": {"mirostat": 2, "temperature": 1}, "temperature": 0.5}, {"mirostat": 2, "temperature": 0.5}),
        ({"num_ctx": 8192}, {"num_ctx": 8192}),
    ],
)
def test_sampling_goes_into_the_options(given: dict[str, Any], options: dict[str, Any]) -> None:
    assert asked(**given)["options"] == options


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"keep_alive": "10m"}, "keep_alive", "10m"),
        ({"keep_alive": 0}, "keep_alive", 0),
        ({"response_format": {"type": "json_object"}}, "format", "json"),
        ({"response_format": SCHEMA}, "format", {"type": "array"}),
        ({"logprobs": True, "top_logprobs": 3}, "top_logprobs", 3),
        ({"logprobs": True}, "logprobs", True),
        ({"think": True}, "think", True),
        ({"think": "low", "reasoning_effort": "high"}, "think", "low"),
        ({"reasoning_effort": "none"}, "think", False),
        ({"reasoning_effort": "low"}, "think", True),
    ],
)
def test_each_parameter_has_its_place(given: dict[str, Any], field: str, value: Any) -> None:
    assert asked(**given)[field] == value


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"response_format": {"type": "text"}}, "format"),
        ({"logprobs": False, "top_logprobs": 0}, "logprobs"),
        ({"tools": []}, "tools"),
        ({"tools": [{"type": "function"}], "tool_choice": "none"}, "tools"),
        ({"reasoning_effort": None}, "think"),
    ],
)
def test_what_asks_for_nothing_is_left_out(given: dict[str, Any], field: str) -> None:
    assert field not in asked(**given)


@pytest.mark.parametrize(
    ("effort", "think"), [("minimal", "low"), ("medium", "medium"), ("xhigh", "high"), ("none", False)]
)
def test_a_model_that_knows_degrees_is_told_the_degree(effort: str, think: Any) -> None:
    body = {"model": "gpt-oss", "messages": [USER], "reasoning_effort": effort}

    assert chat_request(body, "gptoss")["think"] == think


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools"),
        ({"options": [1]}, "options"),
        ({"num_ctx": "large"}, "num_ctx"),
        ({"options": {"num_ctx": 0}}, "num_ctx"),
    ],
)
def test_what_ollama_can_not_do_names_the_parameter(given: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        asked(**given)
    assert caught.value.param == param


def test_tools_go_through_as_they_came() -> None:
    tools = [{"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}]

    assert asked(tools=tools)["tools"] == tools


def test_a_developer_is_the_system() -> None:
    assert told({"role": "developer", "content": "Be brief."}) == [{"role": "system", "content": "Be brief."}]


def test_text_in_parts_is_one_text_and_images_stand_apart() -> None:
    parts = [
        {"type": "text", "text": "What"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
        {"type": "text", "text": "is it?"},
    ]

    assert told({"role": "user", "content": parts}) == [{"role": "user", "content": "What\nis it?", "images": ["aGk="]}]


def test_a_conversation_with_tools_keeps_names_ids_and_arguments() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}}

    assert told(
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "12 °C"},
    ) == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Köln"}}}],
        },
        {"role": "tool", "content": "12 °C", "tool_call_id": "call_1", "tool_name": "weather"},
    ]


def test_a_tool_call_without_arguments_has_none() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "now", "arguments": ""}}

    assert told({"role": "assistant", "tool_calls": [call]})[0]["tool_calls"][0]["function"]["arguments"] == {}


def test_thoughts_of_earlier_turns_are_kept() -> None:
    message = {"role": "assistant", "content": "4", "reasoning_content": "2 and 2"}

    assert told(message) == [{"role": "assistant", "content": "4", "thinking": "2 and 2"}]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": None}]},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
        {"role": "user", "content": ["Hi"]},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "x", "arguments": "{"}}]},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "x", "arguments": "[1]"}}]},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "x"}}]},
    ],
)
def test_a_message_that_can_not_be_told_is_the_callers_fault(message: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError) as caught:
        told(message)
    assert caught.value.param == "messages"


def test_a_completion_goes_on_with_the_raw_text() -> None:
    request = complete_request({"model": "small", "prompt": ["Once"], "max_tokens": 5, "logprobs": 0})

    assert request == {
        "model": "small",
        "prompt": "Once",
        "raw": True,
        "think": False,
        "stream": True,
        "truncate": False,
        "shift": False,
        "options": {"num_predict": 5},
        "logprobs": True,
        "top_logprobs": 0,
    }


@pytest.mark.parametrize("prompt", [[1, 2], [[1, 2]], ["a", "b"], None])
def test_a_prompt_that_is_no_text_is_the_callers_fault(prompt: Any) -> None:
    with pytest.raises(BadRequestError) as caught:
        complete_request({"model": "small", "prompt": prompt})
    assert caught.value.param == "prompt"


def test_embeddings_are_never_of_a_text_cut_short() -> None:
    request = embed_request({"model": "small", "input": "Hi", "dimensions": 64, "keep_alive": -1})

    assert request == {
        "model": "small",
        "input": ["Hi"],
        "truncate": False,
        "options": {},
        "dimensions": 64,
        "keep_alive": -1,
    }


@pytest.mark.parametrize("given", [[1, 2], [[1, 2]], None, ["a", 1]])
def test_input_that_is_no_text_is_the_callers_fault(given: Any) -> None:
    with pytest.raises(BadRequestError) as caught:
        embed_request({"model": "small", "input": given})
    assert caught.value.param == "input"
