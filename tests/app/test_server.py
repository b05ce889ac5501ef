"""The HTTP server: what a client may send before anybody has read it."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import orjson
import pytest
from fastapi import FastAPI

from app.main import create_app
from app.server import make_server, run
from config.settings import Server, Settings
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import ASKED, CHAT, RunningGateway, backend, head, running

pytestmark = pytest.mark.anyio

BODY = orjson.dumps(ASKED[CHAT])
KILOBYTE = 1024


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    async with OpenAiServer() as server, running(backend("openai", server)) as gateway:
        yield gateway


def error(answer: bytes, status: int) -> dict[str, object]:
    """The error of a raw answer, which must be whole and the last of its connection."""
    top, _, content = answer.partition(b"\r\n\r\n")
    lines = top.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    assert "connection: close" in lines
    assert "content-type: application/json" in lines
    assert f"content-length: {len(content)}" in lines
    found: dict[str, object] = orjson.loads(content)["error"]
    assert set(found) == {"message", "type", "param", "code"}
    return found


BOMBS: dict[str, tuple[bytes, bytes]] = {
    "one endless header": (head(CHAT)[:-2] + b"x-bomb: ", b"y" * KILOBYTE),
    "one endless name": (head(CHAT)[:-2], b"y" * KILOBYTE),
    "headers without end": (head(CHAT)[:-2], b"x-bomb: yyyyyyyyyyyyyyyyyyyy\r\n" * 32),
    "an endless path": (b"GET /", b"y" * KILOBYTE),
    "an endless query": (b"GET /v1/models?", b"y" * KILOBYTE),
    "an endless key": (head(CHAT)[:-2] + b"authorization: Bearer ", b"y" * KILOBYTE),
    "trailers without end": (
        head(CHAT, "transfer-encoding: chunked") + b"2\r\n{}\r\n0\r\n",
        b"x-bomb: yyyyyyyyyyyyyyyyyyyy\r\n" * 32,
    ),
    "one endless trailer": (head(CHAT, "transfer-encoding: chunked") + b"0\r\nx-bomb: ", b"y" * KILOBYTE),
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_header_bomb_is_431_at_once_and_takes_no_memory(gateway: RunningGateway, bomb: str) -> None:
    first, more = BOMBS[bomb]
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    tracemalloc.start()
    sent = 0
    try:
        writer.write(first)
        async with asyncio.timeout(5):
            while not reader.at_eof() and sent < 64 * KILOBYTE * KILOBYTE:
                writer.write(more * 64)
                sent += len(more) * 64
                await writer.drain()
                await asyncio.sleep(0)
        _, peak = tracemalloc.get_traced_memory()
        answer = await reader.read()
    except ConnectionError:  # it hung up while more was on its way
        _, peak = tracemalloc.get_traced_memory()
        answer = await _what_came(reader)
    finally:
        tracemalloc.stop()
        writer.close()

    assert sent < 8 * KILOBYTE * KILOBYTE
    assert peak < 8 * KILOBYTE * KILOBYTE
    if answer:
        assert error(answer, 431)["code"] == "headers_too_long"


@pytest.mark.parametrize(
    "start",
    [head(CHAT)[:-2], head(CHAT, "transfer-encoding: chunked") + b"2\r\n{}\r\n0\r\n"],
    ids=["headers", "trailers"],
)
async def test_just_beyond_the_limit_a_client_is_told_so(gateway: RunningGateway, start: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(start + b"x-bomb: ")
    await writer.drain()
    async with asyncio.timeout(5):
        await gateway.get("/health/live")  # so that it has read the first part: one read alone may be longer
        writer.write(b"y" * 66 * KILOBYTE)
        answer = await reader.read()
    writer.close()

    assert error(answer, 431)["code"] == "headers_too_long"


async def test_a_connection_may_have_long_headers_again_and_again(gateway: RunningGateway) -> None:
    filler = "x-filler: " + "y" * 40 * KILOBYTE
    one = head(CHAT, filler, f"content-length: {len(BODY)}") + BODY
    last = head(CHAT, filler, "connection: close", f"content-length: {len(BODY)}") + BODY
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    async with asyncio.timeout(5):
        for request in (one, one, last):
            writer.write(request)
            await writer.drain()
            top = await reader.readuntil(b"\r\n\r\n")
            assert top.startswith(b"HTTP/1.1 200 ")
            length = int(top.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("size", [1, 100, 70_000])
async def test_the_chunks_of_a_body_are_no_headers(gateway: RunningGateway, size: int) -> None:
    body = orjson.dumps({**ASKED[CHAT], "user": "x" * 150_000})
    if size == 1:
        body = orjson.dumps({**ASKED[CHAT], "user": "x" * 15_000})
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    pieces = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    answer = await gateway.raw(
        head(CHAT, "transfer-encoding: chunked", "connection: close"), *pieces, b"0\r\nx-trailer: 1\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nx y: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        b"POST / HTTP/1.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        bytes(1000),
    ],
)
async def test_what_is_no_http_is_400_in_the_shape_of_the_api(gateway: RunningGateway, bytes_sent: bytes) -> None:
    assert error(await gateway.raw(bytes_sent), 400)["code"] == "invalid_http"


async def test_requests_in_a_row_are_answered_in_order(gateway: RunningGateway) -> None:
    requests = [
        head("/v1/models", method="GET"),
        head(CHAT, f"content-length: {len(BODY)}") + BODY,
        head("/health/live", "connection: close", method="GET"),
    ]
    answer = await gateway.raw(b"".join(requests))

    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answer.index(b'"object":"list"') < answer.index(b'"chat.completion"') < answer.index(b'"live"')


async def test_a_client_that_expects_to_be_told_to_go_on_is(gateway: RunningGateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(head(CHAT, "expect: 100-continue", "connection: close", f"content-length: {len(BODY)}"))
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(BODY)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_an_answer_does_not_say_what_serves_it(gateway: RunningGateway) -> None:
    headers = (await gateway.get("/health/live")).headers

    assert "server" not in headers
    assert "date" in headers


@pytest.fixture
def app() -> FastAPI:
    return create_app(Settings(), lambda model: pytest.fail(model))


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")],
)
async def test_whoever_waits_is_told_an_address_that_works(app: FastAPI, host: str, shown: str) -> None:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def on_ready(url: str) -> None:
        told.set_result(url)
        server.should_exit = True

    server = make_server(app, Server(host=host, port=0, allow_unauthenticated=True), on_ready)
    try:
        await server.serve()
    except SystemExit:
        pytest.skip(f"{host} is no address of this machine")

    assert (await told).startswith(f"http://{shown}:")
    assert not (await told).endswith(":0")


async def test_a_port_that_is_taken_ends_it(app: FastAPI, taken: int) -> None:
    async def on_ready(url: str) -> None:
        pytest.fail(url)

    with pytest.raises(SystemExit):
        await run(app, Server(port=taken), on_ready)


async def _what_came(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
