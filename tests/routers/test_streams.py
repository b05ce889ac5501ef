"""The rules of the wire that every SDK relies on, whatever the backend is and does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.backends.kinds import KINDS_UNDER_TEST, capabilities
from tests.fakes.answers import CLOSE, RESET, Cut, Json, Silence, Stream
from tests.fakes.model_server import ModelServer
from tests.fakes.openai_server import OpenAiServer, event
from tests.fakes.wire import Request, Wire
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, Streamed, backend, running, until

pytestmark = pytest.mark.anyio

PATHS = {"chat": CHAT, "complete": COMPLETE}
on_either_path = pytest.mark.parametrize("path", PATHS.values())
in_every_way = pytest.mark.parametrize(
    ("kind", "path"),
    [(kind, path) for kind in KINDS_UNDER_TEST for name, path in PATHS.items() if name in capabilities(kind)],
)
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "small"}
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    return event({**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})


def first_and(server: ModelServer, request: Request, *rest: bytes | asyncio.Event | Cut) -> Stream:
    """The server's answer up to its first word, and then something else."""
    pieces = server.pieces(request)
    said = next(index for index, piece in enumerate(pieces) if server.words[0].encode() in piece) + 1
    return Stream([*pieces[:said], *rest], server.stream_type, apart=True)


@in_every_way
async def test_a_stream_says_every_word_has_one_finish_reason_and_ends_with_done(kind: str, path: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        answer = await gateway.stream(path, model=server.model)

    assert answer.response.status_code == 200
    assert answer.response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.text == "".join(server.words)
    assert answer.finish_reasons == ["stop"]
    assert answer.choices[-1]["finish_reason"] == "stop"
    assert answer.data[-1] == "[DONE]"
    assert answer.data.count("[DONE]") == 1


@pytest.mark.parametrize("kind", KINDS_UNDER_TEST)
async def test_the_first_chunk_of_a_chat_and_no_other_has_the_role(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        answer = await gateway.stream(CHAT, model=server.model)

    assert ["role" in choice["delta"] for choice in answer.choices] == [True] + [False] * (len(answer.choices) - 1)


@in_every_way
async def test_the_usage_comes_last_when_it_was_asked_for(kind: str, path: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        answer = await gateway.stream(path, model=server.model, stream_options={"include_usage": True})

    assert answer.events[-1]["choices"] == []
    assert answer.events[-1]["usage"]["completion_tokens"] == len(server.words)
    assert [each for each in answer.events if each["choices"] == []] == [answer.events[-1]]


@pytest.mark.parametrize("kind", KINDS_UNDER_TEST)
@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}, {"stream_options": None}])
async def test_nobody_gets_the_usage_who_did_not_ask(kind: str, options: dict[str, Any]) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        answer = await gateway.stream(CHAT, model=server.model, **options)

    assert all(each["choices"] for each in answer.events)
    assert not any(each.get("usage") for each in answer.events)


async def test_a_role_that_the_upstream_left_out_is_put_in(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    upstream.script = lambda _: Stream([chunk({"content": "Hi"}), chunk({}, "stop"), DONE])
    answer = await gateway.stream(CHAT)

    assert [choice["delta"].get("role") for choice in answer.choices] == ["assistant", None, None]
    assert answer.text == "Hi"
    assert answer.events[0]["id"] == HEAD["id"]


async def test_what_the_upstream_sends_is_passed_on_byte_for_byte(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    extra = b'data: {"id":"x",  "choices": [{"index":0,"delta":{"role":"assistant","x_new":[1.50]}}],"y":"\\u00e9"}\n\n'
    pieces = [extra, chunk({"content": "é"}), chunk({}, "stop"), DONE]
    upstream.script = lambda _: Stream(pieces)
    answer = await gateway.stream(CHAT)

    assert answer.response.content == b"".join(pieces)


async def test_nothing_that_the_sdks_trip_over_is_passed_on(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    noise = b": ping\n\nretry: 100\n\nid: 7\n\ndata: \n\nevent: message\n\n"
    words = b"id: 1\r\nevent: message\r\n" + chunk({"role": "assistant", "content": "Hi"}).replace(b"\n", b"\r\n")
    upstream.script = lambda _: Stream([noise + words, noise, chunk({}, "stop"), DONE + b"data: {}\n\n"])
    answer = await gateway.stream(CHAT)

    assert answer.text == "Hi"
    assert answer.finish_reasons == ["stop"]
    assert all(line.startswith("data: {") for line in answer.response.text.split("\n\n")[:-2])
    assert answer.data[-1] == "[DONE]"
    assert answer.response.text.endswith("data: [DONE]\n\n")


@on_either_path
async def test_each_chunk_goes_on_before_the_next_one_exists(
    gateway: RunningGateway, upstream: OpenAiServer, path: str
) -> None:
    rest = asyncio.Event()
    upstream.script = lambda request: first_and(upstream, request, rest, *upstream.pieces(request)[-3:])
    async with gateway.opened(path) as response:
        came = ""
        async with asyncio.timeout(5):
            async for data in response.aiter_text():
                came += data
                if upstream.words[0] in came:
                    rest.set()

    assert came.endswith("data: [DONE]\n\n")


async def test_the_status_waits_for_the_first_chunk(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    first = asyncio.Event()
    upstream.script = lambda request: Stream([b": thinking\n\n", first, *upstream.pieces(request)])
    asking = asyncio.ensure_future(gateway.raw_head(CHAT, stream=True))
    await upstream.asked(2)
    done, _ = await asyncio.wait((asking,), timeout=0.05)
    first.set()

    assert not done
    assert (await asking).startswith(b"HTTP/1.1 200 ")


BREAKS: dict[str, tuple[bytes | Cut, ...]] = {
    "a reset": (RESET,),
    "a cut": (CLOSE,),
    "the end without a finish_reason": (),
    "done without a finish_reason": (DONE,),
    "an error event": (event({"error": {"message": "out of memory at /srv/x", "type": "server_error"}}), DONE),
    "an error in words": (event({"error": "out of memory"}),),
    "an event cut in two": (b'data: {"id": "chatcmpl-1", "choi',),
}


@on_either_path
@pytest.mark.parametrize("broken", BREAKS)
async def test_a_broken_stream_never_looks_like_a_success(
    gateway: RunningGateway, upstream: OpenAiServer, path: str, broken: str
) -> None:
    upstream.script = lambda request: first_and(upstream, request, *BREAKS[broken])
    answer = await gateway.stream(path)

    assert answer.response.status_code == 200
    assert answer.text == upstream.words[0]
    assert answer.finish_reasons == []
    assert set(answer.events[-1]) == {"error"}
    assert set(answer.events[-1]["error"]) == {"message", "type", "param", "code"}
    assert answer.data[-1] == "[DONE]"
    assert "/srv" not in answer.response.text


@pytest.mark.parametrize("broken", BREAKS)
async def test_a_broken_answer_is_an_error_for_whoever_did_not_ask_for_a_stream(
    gateway: RunningGateway, upstream: OpenAiServer, broken: str
) -> None:
    upstream.script = lambda request: first_and(upstream, request, *BREAKS[broken])
    for path in (CHAT, COMPLETE):
        response = await gateway.post(path)

        assert response.status_code == 502
        assert response.json()["error"]["code"] == "backend_failed"


async def test_an_error_after_the_finish_reason_takes_nothing_back(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    error = event({"error": {"message": "lost", "type": "server_error"}})
    upstream.script = lambda _: Stream([chunk({"role": "assistant"}), chunk({}, "stop"), error, DONE], apart=True)
    answer = await gateway.stream(CHAT)

    assert answer.error is None
    assert answer.finish_reasons == ["stop"]


async def test_an_answer_is_whole_without_done_when_it_had_its_finish_reason(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    upstream.script = lambda request: Stream(upstream.pieces(request)[:-1])
    answer = await gateway.stream(CHAT)

    assert answer.finish_reasons == ["stop"]
    assert answer.error is None
    assert answer.data[-1] == "[DONE]"


async def test_words_about_errors_and_choices_are_only_words(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    upstream.words = ('{"error": 1}', ' "choices":[] ', ' "finish_reason":"stop" ', "data: [DONE]\n\n")
    answer = await gateway.stream(CHAT)

    assert answer.text == "".join(upstream.words)
    assert answer.error is None
    assert answer.finish_reasons == ["stop"]


async def test_an_error_that_is_null_is_none_and_not_passed_on(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    words = {"index": 0, "delta": {"role": "assistant", "content": '"error":null, "error": null'}}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [{"error": None, **HEAD, "choices": [words]}, {**HEAD, "choices": [end], "error": None}]
    upstream.script = lambda _: Stream([*map(event, events), DONE])
    answer = await gateway.stream(CHAT)

    assert answer.text == '"error":null, "error": null'
    assert answer.finish_reasons == ["stop"]
    assert not any("error" in each for each in answer.events)


async def test_a_finish_reason_that_is_only_a_word_proves_nothing(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    words = chunk({"role": "assistant", "content": '{"finish_reason":"stop"}'})
    upstream.script = lambda _: Stream([words, DONE], apart=True)

    assert (await gateway.stream(CHAT)).error is not None


async def test_a_whole_answer_of_the_upstream_becomes_a_stream(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    upstream.script = lambda request: Json(upstream.whole(request))
    answer = await gateway.stream(CHAT)

    assert answer.text == "".join(upstream.words)
    assert answer.finish_reasons == ["stop"]
    assert answer.data[-1] == "[DONE]"


@on_either_path
async def test_silence_is_broken_by_comments(upstream: OpenAiServer, path: str) -> None:
    rest, came = asyncio.Event(), ""
    async with running(backend("openai", upstream), server={"keep_alive_seconds": 0.05}) as gateway:
        upstream.script = lambda request: first_and(upstream, request, rest, *upstream.pieces(request)[-3:])
        async with asyncio.timeout(5), gateway.opened(path) as response:
            async for data in response.aiter_text():
                came += data
                if came.count(": keep-alive\n\n") == 2:
                    rest.set()

    answer = Streamed(httpx.Response(200, text=came))
    assert answer.comments == [": keep-alive"] * 2
    assert answer.finish_reasons == ["stop"]
    assert answer.data[-1] == "[DONE]"


@dataclass(frozen=True)
class Leaving:
    """Says nothing, and notes that its client left."""

    request: Request
    left: list[Request]

    async def send(self, wire: Wire) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.left.append(self.request)


LEAVING: dict[str, tuple[str, dict[str, Any]]] = {
    "a chat that streams": (CHAT, {"stream": True}),
    "a chat that does not": (CHAT, {}),
    "a completion that streams": (COMPLETE, {"stream": True}),
    "a completion that does not": (COMPLETE, {}),
}


@pytest.mark.parametrize("way", LEAVING)
@pytest.mark.parametrize("began", [True, False], ids=["after the first word", "before the first word"])
async def test_a_client_that_leaves_stops_the_backend_within_a_second(
    gateway: RunningGateway, upstream: OpenAiServer, way: str, began: bool
) -> None:
    path, changes = LEAVING[way]
    never = asyncio.Event()
    upstream.script = lambda request: first_and(upstream, request, never) if began else Silence()
    asking = asyncio.ensure_future(gateway.post(path, **changes))
    await upstream.asked(2)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    async with asyncio.timeout(1):
        await upstream.client_left.wait()
    await gateway.until_idle("box")


async def test_a_client_that_leaves_stops_the_making_of_embeddings_within_a_second(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    upstream.script = lambda _: Silence()
    asking = asyncio.ensure_future(gateway.post(EMBED))
    await upstream.asked(2)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    async with asyncio.timeout(1):
        await upstream.client_left.wait()
    await gateway.until_idle("box")


@pytest.mark.parametrize("kind", KINDS_UNDER_TEST)
async def test_a_client_that_leaves_stops_every_kind_of_backend(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        listed = len(server.requests)
        never = asyncio.Event()
        server.script = lambda request: first_and(server, request, never)
        asking = asyncio.ensure_future(gateway.post(CHAT, stream=True, model=server.model))
        await server.asked(listed + 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

        async with asyncio.timeout(1):
            await server.client_left.wait()


async def test_a_client_that_leaves_stops_every_choice_of_several() -> None:
    left: list[Request] = []
    async with KINDS_UNDER_TEST["llamacpp"].server() as server, running(backend("llamacpp", server)) as gateway:
        listed = len(server.requests)
        server.script = lambda request: Leaving(request, left)
        asking = asyncio.ensure_future(gateway.post(CHAT, n=3))
        await server.asked(listed + 3)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await gateway.until_idle("box")
        await until(lambda: len(left) == 3)


async def test_a_slow_reader_does_not_fill_the_memory(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    """The upstream is not read faster than the client reads."""
    big, pieces, finished = chunk({"content": "x" * 100_000}), 300, asyncio.Event()

    class Flood:
        async def send(self, wire: Wire) -> None:
            wire.head(200, {"Content-Type": "text/event-stream"})
            await wire.write(chunk({"role": "assistant"}))
            for _ in range(pieces):
                await wire.write(big)
            finished.set()
            await wire.write(chunk({}, "stop") + DONE)
            wire.break_off(reset=False)

    upstream.script = lambda _: Flood()
    async with gateway.opened(CHAT) as response:
        parts = response.aiter_bytes()
        size = len(await anext(parts))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await finished.wait()
        async for part in parts:
            size += len(part)

    assert size > pieces * len(big)


@pytest.mark.parametrize("streams", [40])
async def test_many_streams_run_side_by_side(upstream: OpenAiServer, streams: int) -> None:
    rest = asyncio.Event()
    async with running(backend("openai", upstream, concurrency=streams)) as gateway:
        upstream_asked = len(upstream.requests)
        upstream.script = lambda request: first_and(upstream, request, rest, *upstream.pieces(request)[2:])
        asking = [asyncio.ensure_future(gateway.stream(CHAT)) for _ in range(streams)]
        await upstream.asked(upstream_asked + streams)
        rest.set()
        answers = await asyncio.gather(*asking)

    assert [answer.text for answer in answers] == ["".join(upstream.words)] * streams
    assert all(answer.data[-1] == "[DONE]" for answer in answers)
