"""A connection with both of its ends in the test's hands."""

from __future__ import annotations

import asyncio
from typing import cast

from backends.upstream.connection import Connection, Response
from tests.fakes.transport import FakeLoop, FakeTransport

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n6;note=x\r\n world\r\n0\r\nX-Trailer: 1\r\nContent-Type: none\r\n\r\n"
)
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Ends:
    """`released` and `lost` are the connection's own words to its pool."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.released: list[Connection] = []
        self.lost: list[Connection] = []
        self.connection = Connection(cast(asyncio.AbstractEventLoop, self.loop), self.released.append, self.lost.append)
        self.transport = FakeTransport(self.connection.connection_lost)
        self.connection.connection_made(self.transport)

    async def ask(self) -> asyncio.Task[Response]:
        """Send a request; the answer is up to the test."""
        self.transport.asked.clear()
        asking = asyncio.ensure_future(self.connection.exchange(b"GET / HTTP/1.1\r\n\r\n"))
        await self.transport.asked.wait()
        return asking

    async def answer(self, *pieces: bytes) -> Response:
        """Send a request and receive these bytes."""
        asking = await self.ask()
        for piece in pieces:
            self.connection.data_received(piece)
        return await asking

    def end(self) -> None:
        """The other side closes."""
        self.transport.gone = True
        self.connection.eof_received()
        self.connection.connection_lost(None)
