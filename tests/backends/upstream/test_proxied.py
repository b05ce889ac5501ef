"""Exchanges through a proxy look like any others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import respx

from backends.upstream.proxied import ProxiedPool

pytestmark = pytest.mark.anyio

REQUEST = b'POST /v1/chat HTTP/1.1\r\nhost: box\r\nx-key: a: b\r\ncontent-length: 8\r\n\r\n{"a": 1}'


class Pieces(httpx.AsyncByteStream):
    """A body that comes in these pieces, or fails."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


@pytest.fixture
async def pool() -> AsyncIterator[ProxiedPool]:
    pool = ProxiedPool("http://box", 1)
    yield pool
    pool.close()


@respx.mock
async def test_a_request_arrives_as_it_was_written(pool: ProxiedPool) -> None:
    route = respx.post("http://box/v1/chat").respond(201, json={"ok": True}, headers={"X-Note": "1"})
    answer = await pool.exchange(REQUEST)

    assert (answer.status, answer.headers[b"x-note"]) == (201, b"1")
    assert await answer.read_all(5) == b'{"ok"'
    request = route.calls.last.request
    assert (request.content, request.headers["x-key"]) == (b'{"a": 1}', "a: b")
    answer.close()


@respx.mock
async def test_a_body_is_read_as_it_comes(pool: ProxiedPool) -> None:
    respx.post("http://box/v1/chat").respond(200, stream=Pieces(b"one", b"two"))
    answer = await pool.exchange(REQUEST)

    assert [await answer.read(), await answer.read(), await answer.read()] == [b"one", b"two", b""]
    answer.finish()


@respx.mock
async def test_an_answer_that_breaks_off_is_an_os_error(pool: ProxiedPool) -> None:
    respx.post("http://box/v1/chat").respond(200, stream=Pieces(b"one", httpx.RemoteProtocolError("peer closed")))
    answer = await pool.exchange(REQUEST)
    await answer.read()

    with pytest.raises(OSError, match="peer closed"):
        await answer.read()
    answer.close()


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (httpx.ConnectTimeout("too slow"), TimeoutError),
        (httpx.ConnectError("refused"), ConnectionError),
        (httpx.ProxyError("407 Proxy Authentication Required"), ConnectionError),
        (httpx.RemoteProtocolError("no HTTP"), ConnectionError),
    ],
)
@respx.mock
async def test_errors_are_those_of_a_plain_connection(
    pool: ProxiedPool, error: Exception, meaning: type[Exception]
) -> None:
    respx.post("http://box/v1/chat").mock(side_effect=error)

    with pytest.raises(meaning):
        await pool.exchange(REQUEST)
