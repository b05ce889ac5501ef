"""One connection, byte by byte."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.upstream.connection import ConnectionLostError
from tests.backends.upstream.ends import CHUNKED, PLAIN, Ends

pytestmark = pytest.mark.anyio


def cut(content: bytes, places: set[int]) -> list[bytes]:
    bounds = [0, *sorted(places), len(content)]
    return [content[start:end] for start, end in pairwise(bounds)]


async def test_a_chunked_answer_may_be_cut_at_every_byte() -> None:
    for place in range(1, len(CHUNKED)):
        ends = Ends()
        response = await ends.answer(*cut(CHUNKED, {place}))
        assert await response.read_all(100) == b"hello world"
        assert response.complete
        assert ends.released == [ends.connection]


@given(places=st.sets(st.integers(1, len(CHUNKED) - 1)))
async def test_a_chunked_answer_may_be_cut_anywhere(places: set[int]) -> None:
    ends = Ends()
    response = await ends.answer(*cut(CHUNKED, places))

    assert (response.status, await response.read_all(100)) == (200, b"hello world")
    assert response.headers[b"content-type"] == b"text/event-stream"


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    ends = Ends()
    response = await ends.answer(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo")
    ends.end()

    assert await response.read_all(100) == b"hello"
    assert response.complete
    assert ends.released == []


@pytest.mark.parametrize("place", range(1, len(PLAIN)))
async def test_an_answer_that_the_connection_cuts_is_an_error(place: int) -> None:
    ends = Ends()
    asking = await ends.ask()
    ends.connection.data_received(PLAIN[:place])
    ends.end()

    with pytest.raises(ConnectionLostError) as caught:
        await (await asking).read_all(100)
    assert not caught.value.clean


async def test_a_connection_lost_before_the_first_byte_says_so() -> None:
    ends = Ends()
    asking = await ends.ask()
    ends.end()

    with pytest.raises(ConnectionLostError) as caught:
        await asking
    assert caught.value.clean
    assert ends.lost == [ends.connection]


async def test_what_came_before_the_cut_is_read_first() -> None:
    ends = Ends()
    response = await ends.answer(PLAIN[:-2])
    ends.end()

    assert await response.read() == b"hel"
    with pytest.raises(ConnectionLostError):
        await response.read()


async def test_hints_before_the_answer_are_passed_over_with_their_headers() -> None:
    ends = Ends()
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Type: hint/hint\r\n\r\n"
    response = await ends.answer(hints, PLAIN)

    assert response.status == 200
    assert set(response.headers) == {b"content-length"}
    assert await response.read_all(100) == b"hello"
    assert ends.released == [ends.connection]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"220 smtp.example.com\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_value_error(nonsense: bytes) -> None:
    with pytest.raises(ValueError, match="no HTTP"):
        await Ends().answer(nonsense)


async def test_a_chunk_without_a_size_is_an_error_after_the_head() -> None:
    ends = Ends()
    response = await ends.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")

    with pytest.raises(ValueError, match="no HTTP"):
        await response.read()
    assert ends.transport.aborted


async def test_a_head_without_an_end_is_given_up() -> None:
    ends = Ends()
    asking = await ends.ask()
    ends.connection.data_received(b"HTTP/1.1 200 OK\r\n")
    for _ in range(70):
        ends.connection.data_received(b"X-Padding: " + b"x" * 1000 + b"\r\n")

    with pytest.raises(ValueError, match="headers of more than"):
        await asking
    assert ends.transport.aborted


async def test_a_reader_that_is_slow_slows_the_sender() -> None:
    ends = Ends()
    response = await ends.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")
    ends.connection.data_received(b"x" * 200_000)
    assert not ends.transport.paused
    ends.connection.data_received(b"x" * 200_000)
    assert ends.transport.paused

    assert len(await response.read()) == 400_000
    assert not ends.transport.paused


async def test_a_connection_that_was_paused_reads_again_for_its_next_answer() -> None:
    ends = Ends()
    await ends.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n", b"x" * 300_000)

    assert ends.released == [ends.connection]
    assert not ends.transport.paused


@settings(max_examples=200)
@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from([PLAIN, CHUNKED, CHUNKED[:70], b"HTTP/1.1 200 OK\r\n", b"\r\n", b"0\r\n\r\n", b"5\r\n"]),
        ),
        max_size=8,
    )
)
async def test_whatever_comes_it_ends_in_an_answer_or_a_documented_error(pieces: list[bytes]) -> None:
    ends = Ends()
    asking = await ends.ask()
    for piece in pieces:
        ends.connection.data_received(piece)
    ends.end()

    async with asyncio.timeout(5):
        try:
            answer = await asking
            await answer.read_all(1000)
        except (ConnectionLostError, ValueError) as error:
            assert str(error)  # noqa: PT017 (either outcome is fine, if it says what it is)
