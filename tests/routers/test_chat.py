"""POST /v1/chat/completions: parameters in, one whole answer out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from app.domain.backend import Capability
from app.domain.parameters import HINTS, OFFICIAL, OURS
from tests.backends.kinds import KINDS_UNDER_TEST
from tests.fakes.answers import Stream
from tests.fakes.anthropic_server import AnthropicServer, thinking, tool_use
from tests.fakes.llamacpp_server import LlamaCppServer
from tests.fakes.ollama_server import OllamaServer
from tests.fakes.openai_server import OpenAiServer, event
from tests.routers.running import CHAT, HELLO, RunningGateway, backend, error_of, running

pytestmark = pytest.mark.anyio

of_every_kind = pytest.mark.parametrize("kind", KINDS_UNDER_TEST)

HEAD = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 17, "model": "small"}
DONE = b"data: [DONE]\n\n"
TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
SCHEMA = {"type": "object", "properties": {"zebra": {"type": "string"}}, "required": ["zebra"]}
IMAGE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"

#: Every official parameter with a value that asks for something, and what it needs beside it.
ASKING: Mapping[str, Mapping[str, Any]] = {
    "audio": {"audio": {"voice": "alloy", "format": "wav"}, "modalities": ["text", "audio"]},
    "frequency_penalty": {"frequency_penalty": 0.375},
    "function_call": {"function_call": {"name": "weather"}, "functions": [TOOL["function"]]},
    "functions": {"functions": [TOOL["function"]]},
    "logit_bias": {"logit_bias": {"50256": -97}},
    "logprobs": {"logprobs": True},
    "max_completion_tokens": {"max_completion_tokens": 371},
    "max_tokens": {"max_tokens": 373},
    "metadata": {"metadata": {"topic": "birds"}},
    "modalities": {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    "moderation": {"moderation": {"model": "omni"}},
    "parallel_tool_calls": {"parallel_tool_calls": False, "tools": [TOOL]},
    "prediction": {"prediction": {"type": "content", "content": "a guess"}},
    "presence_penalty": {"presence_penalty": 0.625},
    "prompt_cache_key": {"prompt_cache_key": "key"},
    "prompt_cache_options": {"prompt_cache_options": {"ttl": "1h"}},
    "prompt_cache_retention": {"prompt_cache_retention": "24h"},
    "reasoning_effort": {"reasoning_effort": "low"},
    "response_format": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
    },
    "safety_identifier": {"safety_identifier": "somebody"},
    "seed": {"seed": 419},
    "service_tier": {"service_tier": "flex"},
    "stop": {"stop": ["ENDE"]},
    "store": {"store": True},
    "temperature": {"temperature": 0.4375},
    "tool_choice": {"tool_choice": "required", "tools": [TOOL]},
    "tools": {"tools": [TOOL]},
    "top_logprobs": {"top_logprobs": 3, "logprobs": True},
    "top_p": {"top_p": 0.5625},
    "user": {"user": "somebody"},
    "verbosity": {"verbosity": "low"},
    "web_search_options": {"web_search_options": {"search_context_size": "low"}},
}
#: How the value shows in what a kind asks its server, as a pattern.
SHOWN: Mapping[str, str] = {
    **{"audio": "alloy", "function_call": "function_call", "functions": "functions", "logprobs": "logprobs"},
    **{
        "modalities": "audio",
        "moderation": "omni",
        "reasoning_effort": "low|think",
        "service_tier": "flex",
        "store": "store",
    },
    **{"tool_choice": "tool", "verbosity": "verbosity", "web_search_options": "search_context_size"},
    "frequency_penalty": "0.375",
    "logit_bias": "-97",
    "max_completion_tokens": "371",
    "max_tokens": "373",
    "parallel_tool_calls": "parallel",
    "presence_penalty": "0.625",
    "response_format": "zebra",
    "seed": "419",
    "stop": "ENDE",
    "temperature": "0.4375",
    "tools": "weather",
    "top_logprobs": "3",
    "top_p": "0.5625",
}


def test_every_official_parameter_is_looked_at() -> None:
    assert set(ASKING) == OFFICIAL[Capability.CHAT] - OURS


async def test_a_server_that_speaks_the_api_gets_every_parameter_as_it_came(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    for name, changes in ASKING.items():
        response = await gateway.post(CHAT, **changes)

        assert response.status_code == 200, name
        asked = upstream.requests[-1].body
        assert {key: asked[key] for key in changes} == changes


@of_every_kind
async def test_a_parameter_is_mapped_or_refused_by_name_but_never_dropped(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        for name, changes in ASKING.items():
            listed = len(server.requests)
            response = await gateway.post(CHAT, model=server.model, **changes)

            if response.status_code == 200:
                asked = orjson.dumps(server.requests[-1].body).decode()
                assert name in HINTS or re.search(SHOWN[name], asked), name
            else:
                error = error_of(response, 400)
                assert error["param"] in changes
                assert f"'{error['param']}'" in error["message"]
                assert error["code"] == "unsupported_parameter"
                assert len(server.requests) == listed


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("anthropic", "logit_bias"),
        ("anthropic", "seed"),
        ("anthropic", "logprobs"),
        ("anthropic", "frequency_penalty"),
        ("ollama", "logit_bias"),
        ("ollama", "service_tier"),
        ("llamacpp", "web_search_options"),
        ("llamacpp", "store"),
    ],
)
async def test_what_one_backend_can_not_honour_goes_to_one_that_can(kind: str, name: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, OpenAiServer() as able:
        first = backend(kind, server)
        async with running(first) as gateway:
            alone = await gateway.post(CHAT, model=server.model, **ASKING[name])
        able.model = server.model
        async with running(first, backend("openai", able, id="able", tier=5, hardware="cloud")) as gateway:
            usual = await gateway.post(CHAT, model=server.model)
            served = await gateway.post(CHAT, model=server.model, **ASKING[name])

    assert error_of(alone, 400)["param"] == name
    assert usual.headers["x-backend-used"] == "box"
    assert served.headers["x-backend-used"] == "able"


async def test_what_only_mapping_finds_out_goes_to_a_backend_that_can_too() -> None:
    async with OllamaServer() as ollama, OpenAiServer() as able:
        able.model = ollama.model
        custom = {"type": "custom", "custom": {"name": "anything"}}
        async with running(backend("ollama", ollama)) as gateway:
            alone = await gateway.post(CHAT, model=ollama.model, tools=[custom])
        async with running(backend("ollama", ollama), backend("openai", able, id="able", tier=5)) as gateway:
            served = await gateway.post(CHAT, model=ollama.model, tools=[custom])

    assert error_of(alone, 400)["param"] == "tools"
    assert served.headers["x-backend-used"] == "able"


async def test_neutral_values_ask_for_nothing() -> None:
    neutral: dict[str, Any] = {
        "frequency_penalty": 0,
        "presence_penalty": 0,
        "logit_bias": {},
        "logprobs": False,
        "n": 1,
        "parallel_tool_calls": True,
        "response_format": {"type": "text"},
        "seed": None,
        "service_tier": "auto",
        "stop": None,
        "store": False,
        "tool_choice": "none",
        "tools": [],
        "functions": None,
    }
    async with AnthropicServer() as server, running(backend("anthropic", server)) as gateway:
        response = await gateway.post(CHAT, **neutral)

    assert response.status_code == 200


async def test_fields_outside_the_api_reach_a_server_that_speaks_it_and_come_back(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    extras: dict[str, Any] = {
        "top_k": 20,
        "chat_template_kwargs": {"enable_thinking": False},
        "x_mine": [1, {"deep": None}],
    }
    parts = [
        {**HEAD, "x_stats": {"hits": 1}, "choices": [{"index": 0, "delta": {"role": "assistant", "x_part": "a"}}]},
        {**HEAD, "choices": [{"index": 0, "delta": {"content": "Hi", "x_part": "b"}, "finish_reason": "stop"}]},
    ]
    upstream.script = lambda _: Stream([*map(event, parts), DONE])
    whole = await gateway.post(CHAT, **extras)
    streamed = await gateway.stream(CHAT, **extras)

    for request in upstream.requests[-2:]:
        assert {key: request.body[key] for key in extras} == extras
    assert whole.json()["x_stats"] == {"hits": 1}
    assert whole.json()["choices"][0]["message"]["x_part"] == "ab"
    assert streamed.events == parts


@pytest.mark.parametrize("kind", ["anthropic", "ollama"])
async def test_fields_outside_the_api_are_refused_by_name_where_they_can_not_go(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        response = await gateway.post(CHAT, model=server.model, x_mine=1)

    assert error_of(response, 400)["param"] == "x_mine"


async def test_messages_reach_the_server_as_they_came(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "name": "ann", "content": [{"type": "text", "text": "What is this?", "x": 1}]},
        {"role": "assistant", "content": None, "tool_calls": [_call("c1", "weather", '{"city": "Köln"}')]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {"role": "assistant", "content": "It", "prefix": True},
    ]
    await gateway.post(CHAT, messages=messages)

    assert upstream.requests[-1].body["messages"] == messages


async def test_the_upstream_is_asked_for_a_stream_with_usage_either_way(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    await gateway.post(CHAT)
    await gateway.stream(CHAT, stream_options={"include_obfuscation": False})

    whole, streamed = (request.body for request in upstream.requests[-2:])
    assert (whole["stream"], whole["stream_options"]) == (True, {"include_usage": True})
    assert streamed["stream_options"] == {"include_obfuscation": False, "include_usage": True}


@of_every_kind
async def test_a_whole_answer_has_everything_that_the_api_promises(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        answer = (await gateway.post(CHAT, model=server.model)).json()

    assert answer["object"] == "chat.completion"
    assert answer["model"] == server.model
    assert isinstance(answer["created"], int)
    assert answer["id"]
    (choice,) = answer["choices"]
    message = {"role": "assistant", "content": "".join(server.words), "refusal": None}
    assert choice == {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    assert answer["usage"]["completion_tokens"] == len(server.words)


@of_every_kind
async def test_an_answer_cut_at_max_tokens_says_so(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        server.finish_reason = "length"
        answer = (await gateway.post(CHAT, model=server.model, max_tokens=5)).json()

    assert answer["choices"][0]["finish_reason"] == "length"


async def test_a_content_filter_is_no_error(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    upstream.finish_reason = "content_filter"

    assert (await gateway.post(CHAT)).json()["choices"][0]["finish_reason"] == "content_filter"


async def test_tool_calls_in_pieces_become_one_message(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    upstream.script = lambda _: Stream([*map(event, _tool_call_events()), DONE])
    answer = (await gateway.post(CHAT, tools=[TOOL])).json()
    streamed = await gateway.stream(CHAT, tools=[TOOL])

    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        _call("c1", "weather", '{"city": "Köln"}'),
        _call("c2", "weather", '{"city": "Bonn"}'),
    ]
    assert streamed.events == _tool_call_events()


async def test_the_tool_calls_of_other_apis_come_in_the_shape_of_this_one() -> None:
    async with AnthropicServer() as claude, running(backend("anthropic", claude)) as gateway:
        claude.content = [tool_use("c1", "weather", '{"city": ', '"Köln"}')]
        claude.finish_reason = "tool_calls"
        answers = [(await gateway.post(CHAT, tools=[TOOL])).json()]
    async with OllamaServer() as ollama, running(backend("ollama", ollama)) as gateway:
        ollama.words = ()
        ollama.tool_calls = ({"function": {"name": "weather", "arguments": {"city": "Köln"}}},)
        answers.append((await gateway.post(CHAT, tools=[TOOL], model=ollama.model)).json())

    for answer in answers:
        (choice,) = answer["choices"]
        (call,) = choice["message"]["tool_calls"]
        assert choice["finish_reason"] == "tool_calls"
        assert choice["message"]["content"] is None
        assert call["type"] == "function"
        assert call["id"]
        assert call["function"]["name"] == "weather"
        assert orjson.loads(call["function"]["arguments"]) == {"city": "Köln"}


async def test_thoughts_come_as_reasoning_content() -> None:
    async with OpenAiServer() as server, running(backend("openai", server)) as gateway:
        deltas: list[dict[str, Any]] = [{"role": "assistant"}, *_thoughts("Hm", "."), {"content": "Yes"}]
        server.script = lambda _: Stream([*map(event, _chunks(deltas)), DONE])
        messages = [(await gateway.post(CHAT)).json()["choices"][0]["message"]]
    async with AnthropicServer() as claude, running(backend("anthropic", claude)) as gateway:
        claude.content = [thinking("Hm", ".")]
        messages.append((await gateway.post(CHAT)).json()["choices"][0]["message"])
    async with OllamaServer() as ollama, running(backend("ollama", ollama)) as gateway:
        ollama.thoughts = ("Hm", ".")
        messages.append((await gateway.post(CHAT, model=ollama.model)).json()["choices"][0]["message"])

    assert [message["reasoning_content"] for message in messages] == ["Hm."] * 3


@pytest.mark.parametrize("kind", ["llamacpp", "ollama"])
async def test_the_log_probabilities_of_every_token_are_joined(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        answer = (await gateway.post(CHAT, model=server.model, logprobs=True, top_logprobs=1)).json()

    entries = answer["choices"][0]["logprobs"]["content"]
    assert [entry["token"] for entry in entries] == list(server.words)
    assert all(entry["logprob"] == -0.25 and len(entry["top_logprobs"]) == 1 for entry in entries)


async def test_a_server_that_speaks_the_api_makes_its_choices_itself(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    upstream.script = lambda _: Stream([*map(event, _several()), DONE])
    answer = (await gateway.post(CHAT, n=3)).json()

    assert upstream.requests[-1].body["n"] == 3
    assert len(upstream.requests) == 2
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["a0b0", "a1b1", "a2b2"]
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop"] * 3


@pytest.mark.parametrize("kind", ["anthropic", "llamacpp", "ollama"])
async def test_a_kind_that_makes_one_choice_is_asked_for_each(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server, concurrency=3)) as gateway:
        listed = len(server.requests)
        answer = (await gateway.post(CHAT, model=server.model, n=3)).json()
        streamed = await gateway.stream(CHAT, model=server.model, n=3, stream_options={"include_usage": True})

    assert len(server.requests) == listed + 6
    assert all("n" not in request.body for request in server.requests[listed:])
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert {choice["message"]["content"] for choice in answer["choices"]} == {"".join(server.words)}
    assert answer["usage"]["completion_tokens"] == 3 * len(server.words)
    assert streamed.finish_reasons == ["stop"] * 3
    assert {each["id"] for each in streamed.events} == {streamed.events[0]["id"]}
    assert streamed.events[-1]["usage"]["completion_tokens"] == 3 * len(server.words)
    roles = [choice["index"] for choice in streamed.choices if choice["delta"].get("role")]
    assert sorted(roles) == [0, 1, 2]


async def test_the_choices_of_one_seed_have_different_seeds() -> None:
    async with LlamaCppServer() as server, running(backend("llamacpp", server)) as gateway:
        await gateway.post(CHAT, n=3, seed=7)

    assert sorted(request.body["seed"] for request in server.requests[-3:]) == [7, 8, 9]


async def test_an_image_reaches_a_model_that_sees() -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    async with OpenAiServer() as server, running(backend("openai", server)) as gateway:
        await gateway.post(CHAT, messages=[{"role": "user", "content": parts}])
        assert server.requests[-1].body["messages"][0]["content"] == parts
    async with AnthropicServer() as claude, running(backend("anthropic", claude)) as gateway:
        await gateway.post(CHAT, messages=[{"role": "user", "content": parts}])
        content = claude.requests[-1].body["messages"][0]["content"]
    assert [block["type"] for block in content] == ["text", "image"]
    assert content[1]["source"]["data"] == IMAGE.partition(",")[2]


async def test_an_image_is_refused_by_a_model_that_does_not_see() -> None:
    parts = [{"type": "image_url", "image_url": {"url": IMAGE}}]
    async with OllamaServer() as server, running(backend("ollama", server)) as gateway:
        response = await gateway.post(CHAT, model=server.model, messages=[{"role": "user", "content": parts}])

    error = error_of(response, 400)
    assert error["param"] == "messages"
    assert IMAGE not in error["message"]


async def test_a_prompt_that_fits_no_context_is_refused_and_not_cut() -> None:
    async with OpenAiServer() as server, running(backend("openai", server)) as gateway:
        response = await gateway.post(CHAT, messages=[{"role": "user", "content": "word " * 20_000}])

    error = error_of(response, 400)
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")


async def test_max_completion_tokens_wins_over_max_tokens() -> None:
    async with OllamaServer() as server, running(backend("ollama", server)) as gateway:
        await gateway.post(CHAT, model=server.model, max_completion_tokens=11, max_tokens=13)

    assert server.requests[-1].body["options"]["num_predict"] == 11


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"top_logprobs": 2}, "top_logprobs"),
    ],
)
async def test_options_that_contradict_each_other_are_refused(
    gateway: RunningGateway, changes: dict[str, Any], param: str
) -> None:
    assert error_of(await gateway.post(CHAT, **changes), 400)["param"] == param


async def test_the_model_that_an_alias_stands_for_is_asked(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream), routing={"aliases": {"fast": ["nothing-*", "sm*"]}}) as gateway:
        response = await gateway.post(CHAT, model="fast")

    assert response.json()["model"] == "small"
    assert upstream.requests[-1].body["model"] == "small"
    assert upstream.requests[-1].body["messages"] == HELLO


def _call(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _chunks(deltas: list[dict[str, Any]], finish_reason: str = "stop") -> list[dict[str, Any]]:
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish_reason})
    return [{**HEAD, "choices": [choice]} for choice in choices]


def _thoughts(*pieces: str) -> list[dict[str, Any]]:
    return [{"reasoning_content": piece} for piece in pieces]


def _tool_call_events() -> list[dict[str, Any]]:
    pieces: list[dict[str, Any]] = []
    for index, (id, city) in enumerate((("c1", "Köln"), ("c2", "Bonn"))):
        pieces.append({"index": index, **_call(id, "weather", "")})
        pieces += [{"index": index, "function": {"arguments": part}} for part in ('{"city": ', f'"{city}"', "}")]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    deltas += [{"tool_calls": [piece]} for piece in pieces]
    return _chunks(deltas, "tool_calls")


def _several() -> list[dict[str, Any]]:
    """Three choices, their pieces mixed, two of them in one event."""
    said = [("a", (2, 0, 1)), ("b", (0, 1, 2))]
    events = [
        {**HEAD, "choices": [_piece(index, f"{letter}{index}", first=letter == "a") for index in order]}
        for letter, order in said
    ]
    ends: list[dict[str, Any]] = [{"index": index, "delta": {}, "finish_reason": "stop"} for index in (1, 0, 2)]
    return [*events, {**HEAD, "choices": ends[:2]}, {**HEAD, "choices": ends[2:]}]


def _piece(index: int, content: str, *, first: bool) -> dict[str, Any]:
    role = {"role": "assistant"} if first else {}
    return {"index": index, "delta": {**role, "content": content}, "finish_reason": None}
