"""Each family of servers is asked to go on in its own words, and none in words that it did not say that it knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.domain.backend import Capability
from app.domain.errors import BackendError, BackendRefusedError, JobRejectedError, StreamBrokenError
from app.domain.handoff import Begun, Continuation
from tests.backends.kinds import events, job, text
from tests.backends.running import running
from tests.fakes.answers import Answer, Json, Stream
from tests.fakes.openai_server import OpenAiServer, event
from tests.fakes.wire import Request

pytestmark = pytest.mark.anyio

TOKENS, PREFILL = Continuation.TOKENS, Continuation.PREFILL
ASKED = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}
BEGUN = Begun("Grüße aus")
REST = " 日本 🙂!"


@asynccontextmanager
async def openai(owned_by: str = "vllm", **settings: Any) -> AsyncIterator[tuple[OpenAiServer, Any]]:
    async with running("openai", **settings) as (server, backend):
        assert isinstance(server, OpenAiServer)
        server.owned_by = owned_by
        await backend.probe()
        server.requests.clear()
        yield server, backend


async def said(backend: Any, method: str = "prefill", begun: Begun = BEGUN, **more: Any) -> str:
    answer = getattr(backend, method)(job(Capability.CHAT, **more), begun)
    return text(events(b"".join([block async for block in answer])))


@pytest.mark.parametrize(
    ("owned_by", "continues", "declared"),
    [
        ("vllm", "auto", {TOKENS, PREFILL}),
        ("sglang", "auto", {PREFILL}),
        ("llamacpp", "auto", set()),
        ("openai", "auto", set()),
        ("openai", "continue_final_message", {PREFILL}),
        ("vllm", "continue_final_message", {TOKENS, PREFILL}),
        ("mistralai", "prefix", {PREFILL}),
        ("vllm", "prefix", {PREFILL}),
        ("vllm", "none", set()),
    ],
)
async def test_what_it_declares_is_what_the_operator_says_or_the_server(
    owned_by: str, continues: str, declared: set[Continuation]
) -> None:
    async with openai(owned_by, continues=continues) as (_, backend):
        assert backend.continuations == declared


@pytest.mark.parametrize("models", [[], [{"id": "a"}], [{"id": "a", "owned_by": "vllm"}, {"id": "b"}]])
async def test_a_list_that_does_not_name_an_owner_for_each_model_declares_nothing(models: list[dict[str, str]]) -> None:
    async with openai() as (server, backend):
        server.script = lambda _: Json({"data": models})
        await backend.probe()
        assert backend.continuations == frozenset()


async def test_before_the_first_probe_nothing_is_declared() -> None:
    async with running("openai") as (_, backend):
        assert backend.continuations == frozenset()


@pytest.mark.parametrize("owned_by", ["vllm", "sglang"])
async def test_vllm_and_sglang_are_told_to_continue_the_final_message(owned_by: str) -> None:
    async with openai(owned_by) as (server, backend):
        assert await said(backend, top_k=3) == REST

    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "small",
        "messages": [ASKED, {"role": "assistant", "content": "Grüße aus"}],
        "continue_final_message": True,
        "add_generation_prompt": False,
        "top_k": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_mistral_and_deepseek_are_given_a_prefix() -> None:
    async with openai("mistralai", continues="prefix") as (server, backend):
        assert await said(backend) == REST

    body = server.requests[0].body
    assert body["messages"] == [ASKED, {"role": "assistant", "content": "Grüße aus", "prefix": True}]
    assert not body.keys() & {"continue_final_message", "add_generation_prompt"}


async def test_thoughts_that_are_over_go_along_where_the_server_takes_them() -> None:
    begun = Begun("Grüße", reasoning="Hm.")
    async with openai() as (server, backend):
        await said(backend, begun=begun)
    assert server.requests[0].body["messages"][-1]["reasoning_content"] == "Hm."

    async with openai("mistralai", continues="prefix") as (server, backend):
        await said(backend, begun=begun)
    assert "reasoning_content" not in server.requests[0].body["messages"][-1]


async def test_the_ids_are_those_of_the_prompt_and_then_of_the_text_without_another_beginning() -> None:
    async with openai() as (server, backend):
        kwargs = {"enable_thinking": False}
        assert (
            await said(backend, "replay", chat_template_kwargs=kwargs, temperature=0, max_completion_tokens=9) == REST
        )

    prompt, written, completion = server.requests
    assert (prompt.path, written.path, completion.path) == ("/tokenize", "/tokenize", "/v1/completions")
    assert prompt.body == {
        "model": "small",
        "messages": [ASKED],
        "add_generation_prompt": True,
        "chat_template_kwargs": kwargs,
    }
    assert written.body == {"model": "small", "prompt": "Grüße aus", "add_special_tokens": False}
    assert completion.body == {
        "model": "small",
        "prompt": list(map(ord, "\x01<user>Hi<end><assistant>Grüße aus")),
        "temperature": 0,
        "max_tokens": 9,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_the_key_is_shown_to_the_tokenizer_too() -> None:
    async with openai() as (server, backend):
        await said(backend, "replay")

    assert {request.headers["authorization"] for request in server.requests} == {"Bearer sk-very-secret"}


async def test_ids_that_are_known_are_used_and_what_they_say_beyond_the_text_comes_first() -> None:
    ids = tuple(map(ord, "<user>Hi<end><assistant>Grüße aus 日本"))
    async with openai() as (server, backend):
        assert await said(backend, "replay", Begun("Grüße aus", tokens=ids, surplus=" 日本")) == REST

    (request,) = server.requests
    assert request.body["prompt"] == list(ids)


async def test_a_refusal_comes_before_the_surplus() -> None:
    begun = Begun("Grüße", tokens=(1, 2), surplus=" aus")
    async with openai() as (server, backend):
        server.script = lambda _: Json({"error": "out of memory"}, 500)
        with pytest.raises(BackendRefusedError):
            await anext(backend.replay(job(Capability.CHAT), begun))


@pytest.mark.parametrize(
    ("more", "begun"),
    [
        ({"tools": [TOOL]}, BEGUN),
        ({"response_format": {"type": "json_object"}}, BEGUN),
        ({"reasoning_effort": "low"}, BEGUN),
        ({"logprobs": True}, BEGUN),
        ({"messages": [ASKED, {"role": "assistant", "content": "Grü"}]}, Begun("ße aus")),
        ({}, Begun("Grüße", reasoning="Hm.")),
        ({}, Begun("")),
    ],
    ids=["tools", "a schema", "effort", "logprobs", "the caller's own beginning", "thoughts", "nothing written"],
)
async def test_what_token_ids_can_not_say_is_rejected_at_once_and_is_no_failure(
    more: dict[str, Any], begun: Begun
) -> None:
    async with openai() as (server, backend):
        with pytest.raises(JobRejectedError):
            await said(backend, "replay", begun, **more)

    assert server.requests == []


@pytest.mark.parametrize("neutral", [{"tools": []}, {"response_format": {"type": "text"}}, {"logprobs": False}])
async def test_what_asks_for_nothing_is_left_out(neutral: dict[str, Any]) -> None:
    async with openai() as (server, backend):
        assert await said(backend, "replay", **neutral) == REST

    assert not server.requests[-1].body.keys() & {"tools", "response_format"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Json({"detail": "Not Found"}, 404), JobRejectedError),
        (Json({"count": 0, "tokens": []}), JobRejectedError),
        (Json(["tokens"]), JobRejectedError),
        (Json({"error": "out of memory"}, 500), BackendRefusedError),
    ],
    ids=["no such path", "no tokens", "no object", "ill"],
)
async def test_a_tokenizer_that_tells_nothing_is_a_failure_only_of_a_server_that_is_ill(
    answer: Answer, kind: type[BackendError]
) -> None:
    async with openai() as (server, backend):
        server.script = lambda _: answer
        with pytest.raises(BackendError) as caught:
            await said(backend, "replay")

    assert type(caught.value) is kind


async def test_an_event_that_is_none_breaks_the_stream() -> None:
    word = event({"choices": [{"index": 0, "text": " 日本"}]})

    def script(request: Request) -> Answer:
        if request.path == "/tokenize":
            return server.tokenize(request)
        return Stream([word, b"data: {\n\n"], apart=True)

    async with openai() as (server, backend):
        server.script = script
        answer = backend.replay(job(Capability.CHAT), BEGUN)
        assert text(events(await anext(answer))) == " 日本"
        with pytest.raises(StreamBrokenError):
            await anext(answer)


async def test_a_cloud_that_counts_every_token_is_not_warmed() -> None:
    async with openai("mistralai", continues="prefix") as (server, backend):
        with pytest.raises(JobRejectedError):
            await backend.warm(job(Capability.CHAT), BEGUN)

    assert server.requests == []


async def test_a_server_that_was_wrongly_said_to_continue_refuses() -> None:
    async with openai("mistralai", continues="continue_final_message") as (_, backend):
        with pytest.raises(JobRejectedError):
            await said(backend)
