"""When a connection may carry another exchange, and when it must not."""

from __future__ import annotations

import asyncio

import pytest

from backends.upstream.connection import ConnectionLostError
from tests.backends.upstream.ends import CHUNKED, PLAIN, Ends

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "more", [b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"!"]
)
@pytest.mark.parametrize("together", [True, False])
async def test_more_than_the_answer_is_never_taken_for_the_next_one(more: bytes, *, together: bool) -> None:
    ends = Ends()
    response = await (ends.answer(PLAIN + more) if together else ends.answer(PLAIN))
    assert await response.read_all(100) == b"hello"
    if not together:
        ends.connection.data_received(more)

    assert ends.connection.closed
    assert ends.transport.aborted
    with pytest.raises(ConnectionLostError):
        await ends.connection.exchange(b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n"])
async def test_a_connection_that_will_close_is_not_kept(head: bytes) -> None:
    ends = Ends()
    response = await ends.answer(head + b"Content-Length: 5\r\n\r\nhello")

    assert await response.read_all(100) == b"hello"
    assert ends.released == []
    assert ends.transport.aborted


async def test_cancelling_a_request_closes_the_connection() -> None:
    ends = Ends()
    asking = await ends.ask()
    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert ends.transport.aborted


async def test_closing_an_answer_that_is_not_complete_closes_the_connection() -> None:
    ends = Ends()
    response = await ends.answer(PLAIN[:-2])
    response.close()

    assert ends.transport.aborted


async def test_closing_a_complete_answer_keeps_the_connection() -> None:
    ends = Ends()
    (await ends.answer(PLAIN)).close()

    assert not ends.transport.aborted


async def test_an_answer_that_has_said_all_may_end_in_its_own_time() -> None:
    ends = Ends()
    response = await ends.answer(CHUNKED[:-5])
    response.finish()
    assert not ends.transport.aborted
    ends.connection.data_received(CHUNKED[-5:])
    for late in ends.loop.later:
        late()

    assert ends.released == [ends.connection]
    assert not ends.transport.aborted


async def test_an_answer_that_has_said_all_and_never_ends_is_closed_after_a_while() -> None:
    ends = Ends()
    (await ends.answer(CHUNKED[:-5])).finish()
    for late in ends.loop.later:
        late()

    assert ends.transport.aborted


async def test_a_connection_that_is_about_to_be_lost_is_not_written_to() -> None:
    ends = Ends()
    ends.transport.gone = True

    with pytest.raises(ConnectionLostError) as caught:
        await ends.connection.exchange(b"GET / HTTP/1.1\r\n\r\n")
    assert caught.value.clean
    assert ends.transport.written == []
