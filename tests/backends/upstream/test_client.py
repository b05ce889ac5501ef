"""How a backend talks to its server: what goes out, and what errors come out as."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from app.domain.errors import BackendRefusedError, StreamBrokenError
from app.domain.sse import DONE
from backends.upstream.client import Upstream, reason
from backends.upstream.connection import ConnectionLostError
from tests.fakes.answers import Json, Stream
from tests.fakes.http_server import HttpServer

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def running(path: str = "", **headers: str) -> AsyncIterator[tuple[HttpServer, Upstream]]:
    async with HttpServer() as server:
        upstream = Upstream("box", server.url + path, headers=headers, connect_seconds=5)
        try:
            yield server, upstream
        finally:
            upstream.close()


async def told(upstream: Upstream) -> bytes:
    return b"".join([block async for block in upstream.stream("/chat", {"hi": "ß"})])


async def test_a_request_has_the_paths_prefix_its_headers_and_its_body() -> None:
    async with running("/v1/", authorization="Bearer key") as (server, upstream):
        server.script = lambda _: Json({"ok": True})
        assert await upstream.post_json("/chat", {"hi": "ß"}) == {"ok": True}
        assert await upstream.get_json("/models?limit=5") == {"ok": True}

    post, get = server.requests
    assert (post.method, post.path, post.body) == ("POST", "/v1/chat", {"hi": "ß"})
    assert (get.method, get.path, get.body) == ("GET", "/v1/models?limit=5", None)
    assert post.headers["authorization"] == get.headers["authorization"] == "Bearer key"
    assert post.headers["host"] == server.url.removeprefix("http://")
    assert post.headers["content-type"] == "application/json"


async def test_a_server_that_does_not_stream_is_heard_too() -> None:
    message = {"role": "assistant", "content": "Hi", "tool_calls": [{"id": "c", "type": "function", "function": {}}]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": "1", "object": "chat.completion", "choices": [choice], "usage": {"total_tokens": 3}}
    async with running() as (server, upstream):
        server.script = lambda _: Json(answer, content_type="application/json; charset=utf-8")
        content, usage, done, _ = (await told(upstream)).split(b"\n\n")

    chunk = orjson.loads(content[6:])
    assert chunk["object"] == "chat.completion.chunk"
    assert chunk["choices"][0]["delta"]["content"] == "Hi"
    assert chunk["choices"][0]["delta"]["tool_calls"][0]["index"] == 0
    assert chunk["choices"][0]["finish_reason"] == "stop"
    assert orjson.loads(usage[6:])["usage"] == {"total_tokens": 3}
    assert done + b"\n\n" == DONE


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"message": "no"}},
        {"choices": []},
        {"choices": "none"},
        [],
        b"",
        b"{",
        b"NaN",
    ],
)
async def test_json_that_is_no_answer_is_a_refusal(answer: Any) -> None:
    async with running() as (server, upstream):
        server.script = lambda _: Json(answer)
        with pytest.raises(BackendRefusedError):
            await told(upstream)


@pytest.mark.parametrize("calls", [[1], "abc", None, 7, [{"id": "c"}, "x"]])
async def test_tool_calls_that_are_none_do_no_harm(calls: Any) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": calls}, "finish_reason": "stop"}
    async with running() as (server, upstream):
        server.script = lambda _: Json({"choices": [choice]})
        assert (await told(upstream)).endswith(DONE)


async def test_an_event_without_an_end_is_given_up() -> None:
    async with running() as (server, upstream):
        server.script = lambda _: Stream([b"data: 1\n\n", b"data: " + b"x" * 9_000_000])
        with pytest.raises(StreamBrokenError, match="longer than"):
            await told(upstream)


async def test_leaving_after_done_keeps_the_connection_though_the_message_has_not_ended() -> None:
    rest = asyncio.Event()
    async with running() as (server, upstream):
        server.script = lambda _: Stream([b"data: 1\n\n" + DONE, rest])
        blocks = upstream.stream("/chat", {})
        assert (await anext(blocks)).endswith(DONE)
        await blocks.aclose()
        rest.set()
        await server.answered(1)
        await told(upstream)

    assert server.connections == 1
    assert not server.client_left.is_set()


async def test_a_broken_stream_says_why_without_an_address() -> None:
    async with running() as (server, upstream):
        server.script = lambda _: Stream([b"data: 1\n\n", asyncio.Event()])
        blocks = upstream.stream("/chat", {})
        await anext(blocks)
        server.refuse()
        with pytest.raises(StreamBrokenError) as caught:
            await anext(blocks)

    assert caught.value.message.startswith("backend 'box' broke off: ")
    assert "127.0.0.1" not in caught.value.message


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('10.0.0.7', 80)"), "Connection refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('10.0.0.7', 80)"), "no address of it"),
        (socket.gaierror(-2, "Name or service not known"), "the name can't be resolved"),
        (ConnectionLostError("closed the connection", clean=True), "closed the connection"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "TLS failed"),
        (ValueError("sent something that is no HTTP"), "no HTTP"),
        (TimeoutError(), "no address of it"),
    ],
)
def test_a_reason_is_fit_for_a_client(error: Exception, words: str) -> None:
    assert words in reason(error)
    assert "10.0.0.7" not in reason(error)
    assert "not permitted" not in reason(error)


def test_a_certificate_that_is_not_trusted_is_named_as_such() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"

    assert reason(error) == "TLS failed: self-signed certificate"


async def test_no_proxy_stands_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    async with HttpServer() as server:
        server.script = lambda _: Json({"ok": True})
        upstream = Upstream("box", server.url, headers={}, connect_seconds=5)
        assert await upstream.post_json("/chat", {"hi": 1}) == {"ok": True}
        upstream.close()


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HttpServer() as proxy:
        proxy.script = lambda _: Json({"ok": True})
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "localhost")
        upstream = Upstream("box", "http://box.example/v1", headers={"x-key": "k"}, connect_seconds=5)
        assert await upstream.post_json("/chat", {"hi": 1}) == {"ok": True}
        upstream.close()

    (request,) = proxy.requests
    assert (request.path, request.body) == ("http://box.example/v1/chat", {"hi": 1})
    assert (request.headers["host"], request.headers["x-key"]) == ("box.example", "k")
