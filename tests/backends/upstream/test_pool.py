"""Which connection a request goes out on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import orjson
import pytest

from backends.upstream.connection import ConnectionLostError
from backends.upstream.pool import Pool
from tests.fakes.answers import CLOSE, RESET, Answer, Json, Raw, Stream
from tests.fakes.full_server import FullServer
from tests.fakes.http_server import HttpServer

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nhost: box\r\n\r\n"
OK = Json({"ok": True})


def pool_for(url: str) -> Pool:
    parts = urlsplit(url)
    return Pool(parts.hostname or "", parts.port or 0, tls=None, connect_seconds=0.05)


@asynccontextmanager
async def running(*answers: Answer) -> AsyncIterator[tuple[HttpServer, Pool]]:
    """A server that gives these answers in turn, and the last one for ever."""
    async with HttpServer() as server:
        server.script = lambda _: answers[min(len(server.requests), len(answers)) - 1]
        pool = pool_for(server.url)
        try:
            yield server, pool
        finally:
            pool.close()


async def ask(pool: Pool) -> bytes:
    return await (await pool.exchange(GET)).read_all(1000)


async def test_a_free_connection_is_used_again() -> None:
    async with running(OK) as (server, pool):
        for _ in range(3):
            assert await ask(pool) == b'{"ok":true}'

    assert server.connections == 1


async def test_requests_at_the_same_time_have_their_own_connections() -> None:
    async with running(OK) as (server, pool):
        await asyncio.gather(*(ask(pool) for _ in range(3)))
        await asyncio.gather(*(ask(pool) for _ in range(3)))

    assert server.connections == 3


@pytest.mark.parametrize("end", [RESET, CLOSE])
async def test_a_connection_that_went_stale_is_replaced_once_and_the_request_sent_again(end: Answer) -> None:
    async with running(OK, end, OK) as (server, pool):
        await ask(pool)
        assert await ask(pool) == b'{"ok":true}'

    assert [request.connection for request in server.requests] == [1, 1, 2]


async def test_a_server_that_closes_new_connections_too_is_not_asked_a_third_time() -> None:
    async with running(OK, RESET, RESET, OK) as (server, pool):
        await ask(pool)
        with pytest.raises(ConnectionLostError):
            await ask(pool)

    assert [request.connection for request in server.requests] == [1, 1, 2]


async def test_a_new_connection_that_is_lost_is_not_tried_again() -> None:
    async with running(RESET) as (server, pool):
        with pytest.raises(ConnectionLostError):
            await ask(pool)

    assert len(server.requests) == 1


async def test_a_request_is_not_sent_again_once_a_byte_of_the_answer_came() -> None:
    async with running(OK, Raw([b"H"]), OK) as (server, pool):
        await ask(pool)
        with pytest.raises(ConnectionLostError):
            await ask(pool)

    assert len(server.requests) == 2


async def test_a_connection_is_not_used_again_before_its_message_is_complete() -> None:
    rest = asyncio.Event()
    async with running(Stream([b"one", rest, b"two"]), OK) as (server, pool):
        first = await pool.exchange(GET)
        assert await first.read() == b"one"
        assert await ask(pool) == b'{"ok":true}'
        first.close()
        await ask(pool)

    assert [request.connection for request in server.requests] == [1, 2, 2]


async def test_what_a_server_says_beyond_its_answer_is_never_the_answer_to_the_next_request() -> None:
    poisoned = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-"
    async with running(Raw([poisoned], stay=True), OK) as (server, pool):
        assert await ask(pool) == b"ok"
        assert await ask(pool) == b'{"ok":true}'

    assert server.connections == 2


async def test_a_server_that_says_it_will_close_is_believed() -> None:
    async with running(Json({"ok": True}, headers={"Connection": "close"})) as (server, pool):
        await ask(pool)
        await ask(pool)

    assert server.connections == 2


async def test_closing_the_pool_ends_what_is_running() -> None:
    async with running(Stream([b"one", asyncio.Event()])) as (server, pool):
        answer = await pool.exchange(GET)
        await answer.read()
        pool.close()
        async with asyncio.timeout(5):
            await server.client_left.wait()
        with pytest.raises(ConnectionLostError):
            await answer.read()


async def test_cancelling_a_request_tells_the_server() -> None:
    async with running(Raw([asyncio.Event()])) as (server, pool):
        asking = asyncio.ensure_future(ask(pool))
        await server.asked(1)
        asking.cancel()
        async with asyncio.timeout(5):
            await server.client_left.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_connecting_is_given_up_in_time() -> None:
    with FullServer() as server, pytest.raises(TimeoutError):
        await pool_for(server.url).exchange(GET)


async def test_a_connection_that_changes_hands_at_once_strands_nobody() -> None:
    async def ask(pool: Pool) -> None:
        for _ in range(20):
            answer = await pool.exchange(GET)
            assert orjson.loads(await answer.read_all(1000)) == {"ok": True}

    async with running(OK) as (_, pool):
        async with asyncio.timeout(10):
            await asyncio.gather(*(ask(pool) for _ in range(16)))
