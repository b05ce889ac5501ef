"""The ollama kind over the wire: lines in, events out."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from app.domain.backend import Capability, ServedModel
from app.domain.errors import BackendError, BackendRefusedError, JobRejectedError, StreamBrokenError
from tests.backends.kinds import events, job, stream
from tests.backends.ollama import BOTH, MODEL, ollama, told
from tests.fakes.answers import Json, Stream
from tests.fakes.ollama_server import line

pytestmark = pytest.mark.anyio


def deltas(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice["delta"] for each in told for choice in each["choices"]]


async def test_only_its_own_api_is_used() -> None:
    async with ollama() as (server, backend):
        await backend.probe()
        await told(backend)
        await told(backend, Capability.COMPLETE)
        await backend.embed(job(Capability.EMBED, MODEL))

    paths = [request.path for request in server.requests]
    assert paths == ["/api/tags", "/api/show", "/api/chat", "/api/generate", "/api/embed"]


async def test_thoughts_come_before_the_words() -> None:
    async with ollama() as (server, backend):
        server.thoughts, server.words = ("Hm", "…"), ("4",)
        found = deltas(await told(backend))

    thoughts = [{"reasoning_content": "Hm"}, {"reasoning_content": "…"}]
    assert found == [{"role": "assistant", "content": ""}, *thoughts, {"content": "4"}, {}]


async def test_tool_calls_have_an_index_an_id_and_their_arguments_as_text() -> None:
    async with ollama() as (server, backend):
        server.words = ()
        server.tool_calls = (
            {"function": {"name": "weather", "arguments": {"city": "Köln"}}},
            {"id": "call_9", "function": {"index": 1, "name": "now", "arguments": {}}},
        )
        answer = await told(backend)

    first, second = (delta["tool_calls"][0] for delta in deltas(answer) if "tool_calls" in delta)
    assert first["id"].startswith("call_")
    assert {**first, "id": ""} == {
        "index": 0,
        "id": "",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Köln"}'},
    }
    assert (second["index"], second["id"], second["function"]["arguments"]) == (1, "call_9", "{}")
    assert answer[-2]["choices"][0]["finish_reason"] == "tool_calls"


async def test_the_logprobs_of_a_chat_have_openais_shape() -> None:
    async with ollama() as (_, backend):
        found = [
            choice["logprobs"]
            for each in await told(backend, logprobs=True, top_logprobs=1)
            for choice in each["choices"]
            if choice["logprobs"]
        ]

    token = {"token": "Grüße", "logprob": -0.25, "bytes": None}
    assert found[0] == {"content": [{**token, "top_logprobs": [token]}], "refusal": None}
    assert len(found) == 5


async def test_the_logprobs_of_a_completion_have_the_old_shape() -> None:
    async with ollama() as (_, backend):
        answer = await told(backend, Capability.COMPLETE, logprobs=1)

    found = [choice["logprobs"] for each in answer for choice in each["choices"] if choice["logprobs"]]
    assert [each["text_offset"] for each in found] == [[0], [5], [9], [12], [14]]
    assert found[0]["top_logprobs"] == [{"Grüße": -0.25}]


async def test_a_probe_tells_what_each_model_can_do_and_looks_it_up_once_for_each_digest() -> None:
    async with ollama(max_context=4096) as (server, backend):
        server.shown["capabilities"] = ["completion", "vision", "insert"]
        talks = frozenset(BOTH)
        expected = ServedModel(MODEL, 4096, 1_795_456_800, capabilities=talks, sees=True)
        assert await backend.probe() == (expected,)
        assert await backend.probe() == (expected,)
        server.digest = "sha256:2"
        server.shown["capabilities"] = ["embedding"]
        (changed,) = await backend.probe()

    assert changed.capabilities == {Capability.EMBED}
    assert [request.path for request in server.requests].count("/api/show") == 2


async def test_a_model_that_can_not_be_looked_up_is_listed_all_the_same() -> None:
    async with ollama() as (server, backend):
        server.script = lambda request: Json({}, 500) if request.path == "/api/show" else server.answer(request)
        assert [(model.name, model.context) for model in await backend.probe()] == [(MODEL, None)]


@pytest.mark.parametrize("shown", [{}, {"model_info": [], "details": 1, "capabilities": "x"}, [], None])
async def test_what_an_old_version_does_not_tell_is_unknown(shown: Any) -> None:
    async with ollama() as (server, backend):
        server.shown = shown
        (model,) = await backend.probe()

    assert (model.context, model.capabilities, model.sees) == (None, None, None)


async def test_an_error_before_the_first_word_is_a_refusal() -> None:
    async with ollama() as (server, backend):
        server.script = lambda _: Stream([line({"error": "llama runner process has terminated: /usr/lib/x"})])
        with pytest.raises(BackendRefusedError, match=r"terminated: \[path\]"):
            await told(backend)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    "bad", [line({"error": "out of memory"}), b"[]\n", b"{\n", b'{"message":{"tool_calls":[1]}}\n']
)
async def test_an_error_after_the_first_word_breaks_the_stream_and_loses_nothing(bad: bytes, *, together: bool) -> None:
    word = line({"message": {"role": "assistant", "content": "Hi"}, "done": False})
    pieces = [word + bad] if together else [word, bad]
    async with ollama() as (server, backend):
        server.script = lambda _: Stream(pieces, apart=True)
        async with aclosing(stream(backend, job(Capability.CHAT, MODEL))) as blocks:
            began = await anext(blocks)
            with pytest.raises(StreamBrokenError):
                await anext(blocks)

    assert deltas(events(began)) == [{"role": "assistant", "content": ""}, {"content": "Hi"}]


@pytest.mark.parametrize("said", [[], [line({"message": {"content": "Hi"}, "done": False})]])
async def test_an_end_without_done_is_an_error(said: list[bytes]) -> None:
    async with ollama() as (server, backend):
        server.script = lambda _: Stream(said)
        with pytest.raises(StreamBrokenError if said else BackendRefusedError):
            await told(backend)


async def test_nothing_is_told_after_the_end() -> None:
    end = line({"message": {"content": ""}, "done": True, "done_reason": "stop"})
    async with ollama() as (server, backend):
        server.script = lambda _: Stream([end + end, end], apart=True)
        answer = await told(backend)

    assert [choice["finish_reason"] for each in answer for choice in each["choices"]] == [None, "stop"]


async def test_the_operators_keep_alive_holds_where_the_caller_has_none() -> None:
    async with ollama(keep_alive="1h") as (server, backend):
        await told(backend)
        await told(backend, keep_alive=0)
        await backend.embed(job(Capability.EMBED, MODEL))

    assert [request.body["keep_alive"] for request in server.requests] == ["1h", 0, "1h"]


async def test_a_message_that_can_not_be_told_never_reaches_the_server() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    async with ollama() as (server, backend):
        with pytest.raises(JobRejectedError) as caught:
            await told(backend, messages=[{"role": "user", "content": [picture]}])

    assert (caught.value.status, caught.value.param) == (400, "messages")
    assert server.requests == []


async def test_an_unknown_model_is_a_refusal_with_its_status() -> None:
    async with ollama() as (_, backend):
        with pytest.raises(BackendRefusedError) as caught:
            await anext(stream(backend, job(Capability.CHAT, "other")))

    assert caught.value.status == 404


async def test_an_embedding_of_token_ids_is_the_callers_fault() -> None:
    async with ollama() as (_, backend):
        with pytest.raises(BackendError) as caught:
            await backend.embed(job(Capability.EMBED, MODEL, input=[[1, 2]]))

    assert isinstance(caught.value, JobRejectedError)
    assert caught.value.param == "input"
