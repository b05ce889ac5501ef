"""Chats of the official Python SDK with the real model."""

from __future__ import annotations

import json
from typing import Any, Literal

import openai
import pytest
from openai.types.chat import (
    ChatCompletionChunk,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
)
from pydantic import BaseModel

from tests.live.gateway import CHAT_MODEL, Gateway

pytestmark = pytest.mark.live

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]
TOOLS: list[ChatCompletionFunctionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "enum": ["Paris", "Rome"]},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                },
                "required": ["city", "unit"],
                "additionalProperties": False,
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "add",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "required": ["a", "b"],
                "additionalProperties": False,
            },
        },
    },
]
PARAMETERS = {"get_weather": {"city", "unit"}, "add": {"a", "b"}}


class City(BaseModel):
    name: Literal["Paris", "Rome"]
    population: int
    capital: bool


def text(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_question_is_answered(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=CHAT_MODEL, messages=HELLO, max_completion_tokens=12)

    assert answer.object == "chat.completion"
    assert answer.model == CHAT_MODEL
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 12
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_answers_head_says_who_answered_and_why(gateway: Gateway, client: openai.OpenAI) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model="auto", messages=HELLO, max_tokens=2, extra_headers={"X-Request-ID": "live-head-1"}
    )

    assert answer.headers["x-request-id"] == "live-head-1"
    assert answer.headers["x-backend-used"] in ("eco", "max")
    assert answer.headers["x-routing-reason"]
    assert gateway.get("/admin/decisions/live-head-1").json()["backend"] == answer.headers["x-backend-used"]


def test_a_stream_begins_with_the_role_and_ends_with_one_finish_reason(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="auto", messages=HELLO, max_tokens=8, stream=True))

    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant"] + [None] * (len(chunks) - 1)
    assert [chunk.choices[0].finish_reason for chunk in chunks][:-1] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert text(chunks)
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_tells_its_usage_last_when_asked(client: openai.OpenAI) -> None:
    *chunks, last = client.chat.completions.create(
        model="auto", messages=HELLO, max_tokens=8, stream=True, stream_options={"include_usage": True}
    )

    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None
    assert 0 < last.usage.completion_tokens <= 8


def test_the_sdks_own_stream_helper_puts_the_answer_together(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="auto", messages=HELLO, max_tokens=8) as stream:
        said = "".join(event.delta for event in stream if event.type == "content.delta")
        whole = stream.current_completion_snapshot

    assert said
    assert said == whole.choices[0].message.content


def test_a_required_tool_is_called_with_its_parameters(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="auto", messages=QUESTION, tools=TOOLS, tool_choice="required", max_tokens=120, temperature=0
    )

    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    (call,) = answer.choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert call.id
    assert set(json.loads(call.function.arguments)) == PARAMETERS[call.function.name]


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_function_asked_for_by_name_is_the_one_that_is_called(client: openai.OpenAI, name: str) -> None:
    answer = client.chat.completions.create(
        model="auto",
        messages=QUESTION,
        tools=TOOLS,
        tool_choice={"type": "function", "function": {"name": name}},
        max_tokens=120,
        temperature=0,
    )

    (call,) = answer.choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert call.function.name == name
    assert set(json.loads(call.function.arguments)) == PARAMETERS[name]


def test_a_streamed_call_comes_in_pieces_that_make_one(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="auto", messages=QUESTION, tools=TOOLS, tool_choice="required", max_tokens=120, temperature=0
    ) as stream:
        pieces = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
        whole = stream.get_final_completion()

    (call,) = whole.choices[0].message.tool_calls or []
    assert len(pieces) > 1
    assert set(json.loads(call.function.arguments)) == PARAMETERS[call.function.name]
    assert whole.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_tool_that_need_not_be_called_leaves_room_for_an_answer(
    client: openai.OpenAI, choice: Literal["auto", "none"]
) -> None:
    answer = client.chat.completions.create(
        model="auto", messages=QUESTION, tools=TOOLS, tool_choice=choice, max_tokens=12, temperature=0
    )

    assert answer.choices[0].message.content or answer.choices[0].message.tool_calls


def test_what_a_tool_found_is_read_by_the_model(client: openai.OpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
    messages: list[Any] = [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees and sunny"},
    ]
    without = client.chat.completions.create(model="auto", messages=QUESTION, tools=TOOLS, max_tokens=1)
    answer = client.chat.completions.create(model="auto", messages=messages, tools=TOOLS, max_tokens=8)

    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert without.usage is not None
    assert answer.usage.prompt_tokens > without.usage.prompt_tokens + 20


def test_a_strict_schema_is_kept_to(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "Describe Paris."}],
        response_format={
            "type": "json_schema",
            "json_schema": {
                "name": "city",
                "strict": True,
                "schema": {**City.model_json_schema(), "additionalProperties": False},
            },
        },
        max_tokens=100,
        temperature=0,
    )

    City.model_validate_json(answer.choices[0].message.content or "", strict=True)


def test_a_pydantic_model_comes_back_as_itself(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="auto",
        messages=[{"role": "user", "content": "Describe Rome."}],
        response_format=City,
        max_tokens=100,
        temperature=0,
    )

    assert isinstance(answer.choices[0].message.parsed, City)


def test_logprobs_come_for_every_token(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="auto", messages=HELLO, max_tokens=4, logprobs=True, top_logprobs=3, temperature=0
    )

    found = answer.choices[0].logprobs
    assert found is not None
    assert found.content is not None
    assert "".join(entry.token for entry in found.content) == answer.choices[0].message.content
    for entry in found.content:
        assert entry.logprob <= 0
        assert len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].token == entry.token


def test_streamed_logprobs_are_those_of_the_streamed_words(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="auto", messages=HELLO, max_tokens=4, logprobs=True, temperature=0, stream=True
        )
    )

    found = [chunk.choices[0].logprobs for chunk in chunks]
    assert "".join(entry.token for each in found if each for entry in each.content or ()) == text(chunks)


def test_the_same_seed_gives_the_same_answer_and_another_one_another(client: openai.OpenAI) -> None:
    def said(seed: int) -> str | None:
        answer = client.chat.completions.create(model="auto", messages=HELLO, max_tokens=24, seed=seed, temperature=1.5)
        return answer.choices[0].message.content

    assert said(7) == said(7)
    assert said(7) != said(8)


def test_a_stop_word_ends_the_answer_and_is_no_part_of_it(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "Count from 1 to 9"}],
        max_tokens=80,
        stop=["3", "three"],
        temperature=0,
    )

    assert answer.choices[0].finish_reason == "stop"
    assert "3" not in (answer.choices[0].message.content or "")


def test_two_choices_are_made_of_one_prompt(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="auto", messages=HELLO, max_tokens=12, n=2, seed=3, temperature=1.5)

    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].message.content != answer.choices[1].message.content
    assert answer.usage is not None
    assert 12 < answer.usage.completion_tokens <= 24


def test_two_choices_are_streamed_side_by_side(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="auto", messages=HELLO, max_tokens=6, n=2, seed=3, stream=True))

    assert {chunk.choices[0].index for chunk in chunks} == {0, 1}
    for index in (0, 1):
        mine = [chunk.choices[0] for chunk in chunks if chunk.choices[0].index == index]
        assert mine[0].delta.role == "assistant"
        assert [choice.finish_reason is not None for choice in mine] == [False] * (len(mine) - 1) + [True]


def test_a_biased_token_is_said_again_and_again(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="auto", messages=HELLO, max_tokens=3, logit_bias={"504": 100})

    assert answer.choices[0].message.content == "TheTheThe"


def test_content_in_parts_and_a_developers_words_are_read(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="auto",
        messages=[
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "Say hello"}, {"type": "text", "text": "twice."}]},
        ],
        max_tokens=4,
    )

    assert answer.choices[0].message.content


def test_a_field_outside_the_api_reaches_llama_cpp(client: openai.OpenAI) -> None:
    said = {
        client.chat.completions.create(
            model="auto", messages=HELLO, max_tokens=8, temperature=2, seed=seed, extra_body={"top_k": 1}
        )
        .choices[0]
        .message.content
        for seed in (1, 2)
    }

    assert len(said) == 1
