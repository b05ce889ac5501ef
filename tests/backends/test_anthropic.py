"""The kind `anthropic` against a server that keeps to the Messages API, and against its failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from app.domain.backend import Capability, Hardware, ServedModel
from app.domain.errors import BackendBusyError, BackendError, BackendRefusedError, JobRejectedError, StreamBrokenError
from app.domain.handoff import Begun, Continuation
from app.domain.job import Job
from app.domain.sse import payloads
from backends.anthropic import Anthropic, AnthropicSettings
from backends.anthropic_request import SAMPLING
from backends.base import Resources
from tests.fakes.answers import CLOSE, RESET, Answer, Json, Raw, Stream
from tests.fakes.anthropic_server import AnthropicServer, error, events, text, thinking, tool_use, wire
from tests.fakes.wire import Request

pytestmark = pytest.mark.anyio

KEY = "sk-ant-a-secret"
USER = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
WEATHER = {"type": "function", "function": {"name": "weather"}}
WHOLE = [wire(event) for event in events([text("a")])]
BEGINNING = b"".join(WHOLE[:4])


@pytest.fixture
async def server() -> AsyncIterator[AnthropicServer]:
    async with AnthropicServer(api_key=KEY) as running:
        yield running


@pytest.fixture
async def backend(server: AnthropicServer) -> AsyncIterator[Anthropic]:
    built = make(url=f"{server.url}/v1")
    await built.start()
    yield built
    await built.stop()


def settings(**given: Any) -> AnthropicSettings:
    return AnthropicSettings.model_validate({"id": "claude", "kind": "anthropic", "api_key": KEY, **given})


def make(**given: Any) -> Anthropic:
    return Anthropic(settings(**given), Resources(find_model=Path, scratch=Path("nowhere")))


def job(**body: Any) -> Job:
    asked = {"model": AnthropicServer.model, "messages": [USER], **body}
    return Job(request_id="r-1", capability=Capability.CHAT, model=asked["model"], body=asked)


def always(answer: Answer) -> Callable[[Request], Answer]:
    return lambda _: answer


async def answered(backend: Anthropic, asked: Job | None = None) -> list[dict[str, Any]]:
    """The chunks of a whole answer, without its `[DONE]`."""
    async with aclosing(backend.chat(asked or job())) as blocks:
        *chunks, done = payloads(b"".join([block async for block in blocks]))
    assert done == b"[DONE]"
    return [orjson.loads(chunk) for chunk in chunks]


async def listen(backend: Anthropic, came: list[bytes], heard: asyncio.Event) -> None:
    async with aclosing(backend.chat(job())) as blocks:
        async for block in blocks:
            came.append(block)
            heard.set()


async def test_a_conversation_with_tools_is_taken_by_the_server_and_answered(
    server: AnthropicServer, backend: Anthropic
) -> None:
    server.content, server.finish_reason = [thinking("Hm."), tool_use("toolu_1", "weather", "{}")], "tool_calls"
    spoken = [
        {"role": "system", "content": "Be brief."},
        USER,
        {"role": "assistant", "content": " ", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    chunks = await answered(backend, job(messages=spoken, tools=[WEATHER], temperature=0.2, user="u"))
    assert [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]][-1] == "tool_calls"
    assert chunks[-1]["usage"]["completion_tokens"] == 5
    asked = server.requests[0]
    assert (asked.method, asked.path) == ("POST", "/v1/messages")
    assert (asked.headers["x-api-key"], asked.headers["anthropic-version"]) == (KEY, "2023-06-01")


async def test_the_connection_serves_again_after_an_answer(server: AnthropicServer, backend: Anthropic) -> None:
    for _ in range(3):
        await answered(backend)
    assert server.connections == 1


async def test_events_cut_anywhere_make_the_same_answer(server: AnthropicServer, backend: Anthropic) -> None:
    whole = b"".join(wire(event) for event in events([text("Grüße")]))
    server.script = always(Stream([whole[at : at + 7] for at in range(0, len(whole), 7)]))
    assert (await answered(backend))[1]["choices"][0]["delta"] == {"content": "Grüße"}


async def test_the_first_block_holds_content_and_comes_with_it(server: AnthropicServer, backend: Anthropic) -> None:
    server.script = always(Stream([*WHOLE[:3], WHOLE[3], asyncio.Event()]))
    async with aclosing(backend.chat(job())) as blocks:
        role, content = payloads(await anext(blocks))
    assert b'"role":"assistant"' in role
    assert b'"content":"a"' in content


async def test_closing_the_stream_hangs_up(server: AnthropicServer, backend: Anthropic) -> None:
    server.script = always(Stream([BEGINNING, asyncio.Event()]))
    async with aclosing(backend.chat(job())) as blocks:
        await anext(blocks)
    await asyncio.wait_for(server.client_left.wait(), 5)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (error("overloaded_error", "Overloaded"), BackendBusyError),
        (error("rate_limit_error", "Slow down"), BackendBusyError),
        (error("invalid_request_error", "messages: too odd"), JobRejectedError),
        (error("api_error", "Internal server error"), BackendRefusedError),
        ({"type": "error"}, BackendRefusedError),
    ],
)
async def test_an_error_before_any_content_lets_another_backend_be_asked(
    server: AnthropicServer, backend: Anthropic, event: dict[str, Any], kind: type[BackendError]
) -> None:
    server.script = always(Stream([*WHOLE[:3], wire(event)]))
    with pytest.raises(BackendError) as caught:
        await anext(backend.chat(job()))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "ending",
    [[wire(error("overloaded_error", "Overloaded"))], [b"data: {\n\n"], [b"data: {"], [RESET], [CLOSE], []],
    ids=["error", "no-json", "half-an-event", "reset", "close", "no-message-stop"],
)
async def test_an_end_amid_the_answer_is_a_broken_stream(
    server: AnthropicServer, backend: Anthropic, ending: list[Any]
) -> None:
    heard = asyncio.Event()
    server.script = always(Stream([BEGINNING, heard, *ending]))
    with pytest.raises(StreamBrokenError):
        await listen(backend, [], heard)


async def test_an_error_in_one_breath_with_content_comes_after_it(server: AnthropicServer, backend: Anthropic) -> None:
    server.script = always(Stream([BEGINNING + wire(error("api_error", "Oops"))]))
    came: list[bytes] = []
    with pytest.raises(StreamBrokenError):
        await listen(backend, came, asyncio.Event())
    assert b'"content":"a"' in b"".join(came)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Json(error("invalid_request_error", "prompt is too long"), status=400), JobRejectedError),
        (Json(error("request_too_large", "Request too large"), status=413), JobRejectedError),
        (Json(error("authentication_error", f"bad key {KEY}"), status=401), BackendRefusedError),
        (Json(error("permission_error", f"not for {KEY}"), status=403), BackendRefusedError),
        (Json(error("not_found_error", "model: x"), status=404), BackendRefusedError),
        (Json(error("api_error", "Internal server error"), status=500), BackendRefusedError),
        (Json({"type": "message", "content": []}), BackendRefusedError),
    ],
    ids=["400", "413", "401", "403", "404", "500", "no-stream"],
)
async def test_an_error_of_the_server_is_told_in_our_own_terms_and_without_the_key(
    server: AnthropicServer, backend: Anthropic, answer: Answer, kind: type[BackendError]
) -> None:
    server.script = always(answer)
    with pytest.raises(BackendError) as caught:
        await answered(backend)
    assert type(caught.value) is kind
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("status", [429, 529])
async def test_a_busy_server_says_when_to_come_back(server: AnthropicServer, backend: Anthropic, status: int) -> None:
    server.script = always(Raw([b"HTTP/1.1 %d \r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n" % status]))
    with pytest.raises(BackendBusyError) as caught:
        await answered(backend)
    assert caught.value.retry_after_seconds == 7


async def test_what_can_not_be_mapped_is_a_rejected_job(server: AnthropicServer, backend: Anthropic) -> None:
    with pytest.raises(JobRejectedError) as caught:
        await answered(backend, job(temperature=2))
    assert (caught.value.status, caught.value.param) == (400, "temperature")
    assert server.requests == []


async def test_a_probe_lists_the_models_with_what_is_known_of_them(server: AnthropicServer, backend: Anthropic) -> None:
    server.listed = [
        {"id": "a", "created_at": "2026-02-05T00:00:00Z", "max_input_tokens": 200_000, "capabilities": None},
        {"id": "b", "created_at": "long ago", "capabilities": {"image_input": {"supported": True}}},
    ]
    first, second = await backend.probe()
    assert first == ServedModel("a", context=200_000, created=1770249600)
    assert second == ServedModel("b", sees=True)


async def test_a_probe_turns_every_page(server: AnthropicServer, backend: Anthropic) -> None:
    server.listed = [{"id": f"m {number}"} for number in range(2100)]
    assert len(await backend.probe()) == 2100
    assert server.requests[1].path == "/v1/models?limit=1000&after_id=m%20999"


async def test_a_probe_of_endless_pages_ends(server: AnthropicServer, backend: Anthropic) -> None:
    server.script = always(Json({"data": [{"id": "a"}], "has_more": True, "last_id": "a"}))
    assert set(await backend.probe()) == {ServedModel("a")}


async def test_the_new_version_is_spoken_without_what_it_refuses(server: AnthropicServer) -> None:
    new = make(url=f"{server.url}/v1", version="2026-10-21")
    await answered(new, job(top_k=5, temperature=0.5))
    await new.stop()
    assert server.requests[0].headers["anthropic-version"] == "2026-10-21"


def test_the_version_says_whether_sampling_parameters_are_honoured() -> None:
    old, new = make().profile, make(version="2026-10-21").profile
    assert set(old.honours) == set(new.honours) == {Capability.CHAT}
    assert old.honours[Capability.CHAT] - new.honours[Capability.CHAT] == SAMPLING


def test_the_defaults_are_those_of_the_cloud_and_the_key_stays_hidden() -> None:
    found = settings()
    assert (found.url, found.hardware) == ("https://api.anthropic.com/v1", Hardware.CLOUD)
    assert KEY not in repr(found)


@pytest.mark.parametrize("wrong", [{"api_key": ""}, {"api_key": None}, {"version": "2023-06-01\r\nx: y"}])
def test_a_key_and_a_dated_version_are_needed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


async def test_only_where_the_operator_says_so_is_it_given_the_beginning_of_an_answer() -> None:
    assert make().continuations == frozenset()
    assert make(prefill=True).continuations == {Continuation.PREFILL}


async def test_the_text_goes_out_without_the_white_space_at_its_end(
    server: AnthropicServer, backend: Anthropic
) -> None:
    server.words = ("a", " \n", "b")
    assert {"content": "b"} in await further(backend, "a \n", tools=[WEATHER])
    assert server.requests[0].body["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "a"}]}


async def test_a_text_of_nothing_but_white_space_is_not_sent(server: AnthropicServer, backend: Anthropic) -> None:
    server.words = ("\n", "\n", "b")
    assert {"content": "\nb"} in await further(backend, "\n")
    assert [message["role"] for message in server.requests[0].body["messages"]] == ["user"]


async def test_white_space_that_was_kept_back_comes_before_a_tool_call(
    server: AnthropicServer, backend: Anthropic
) -> None:
    server.content = [text("\n", "\n"), tool_use("toolu_1", "weather", "{}")]
    said = await further(backend, "a\n", tools=[WEATHER])
    assert said[1] == {"content": "\n"}
    assert "tool_calls" in said[2]


async def test_a_model_that_takes_no_beginning_rejects_the_job(server: AnthropicServer, backend: Anthropic) -> None:
    server.prefills = False
    with pytest.raises(JobRejectedError, match="prefill"):
        await further(backend, "a")


async def further(backend: Anthropic, written: str, **body: Any) -> list[dict[str, Any]]:
    """The deltas that the client gets after what is written."""
    blocks = b"".join([block async for block in backend.prefill(job(**body), Begun(written))])
    told = [orjson.loads(data)["choices"] for data in payloads(blocks) if data != b"[DONE]"]
    return [choice["delta"] for choices in told for choice in choices]
