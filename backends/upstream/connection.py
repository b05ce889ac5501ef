"""One HTTP/1.1 connection to an upstream, one exchange at a time, on asyncio.Protocol and httptools.

Source: RFC 9112 (message framing and connection reuse); httptools wraps llhttp, the parser of Node and uvicorn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

_HIGH_WATER_BYTES = 256 * 1024
_MAX_HEAD_BYTES = 64 * 1024
_LAST_BYTES_SECONDS = 1.0


class ConnectionLostError(ConnectionError):
    """The connection ended before the message did. `clean` says that not one byte of the answer had come."""

    def __init__(self, reason: str, *, clean: bool) -> None:
        super().__init__(reason)
        self.clean = clean


class Response:
    """An answer whose head has come; the body is read as it arrives. Whoever got it must close it."""

    __slots__ = ("_buffer", "_buffered", "_connection", "_error", "_waiter", "complete", "headers", "status")

    def __init__(self, connection: Connection) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.complete = False
        self._connection = connection
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    async def read(self) -> bytes:
        """All that has come since the last read, at least one byte; empty at the end of the body.

        Raises ConnectionLostError when the connection ends before the body does.
        """
        while not self._buffer:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            await self.wait()
        data = self._buffer[0] if len(self._buffer) == 1 else b"".join(self._buffer)
        self._buffer.clear()
        if self._buffered > _HIGH_WATER_BYTES and not self.complete:  # else it is in other hands already
            self._connection.resume_reading()
        self._buffered = 0
        return data

    async def read_all(self, limit_bytes: int) -> bytes:
        """The whole body, or its first `limit_bytes`."""
        parts, size = [], 0
        while size < limit_bytes and (data := await self.read()):
            parts.append(data)
            size += len(data)
        return b"".join(parts)[:limit_bytes]

    def close(self) -> None:
        """Let go: a connection whose message is not complete is closed, which tells the upstream to stop."""
        if not self.complete:
            self._connection.abort()

    def finish(self) -> None:
        """Let go of an answer that has said all that matters: its last bytes may still come, for a little while, so
        that the connection can be used again.
        """
        if not self.complete:
            self._connection.loop.call_later(_LAST_BYTES_SECONDS, self.close)

    async def wait(self) -> None:
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def take(self, parts: list[bytes]) -> None:
        self._buffer += parts
        self._buffered += sum(map(len, parts))
        if self._buffered > _HIGH_WATER_BYTES and not self.complete:
            self._connection.pause_reading()

    def fail(self, error: Exception) -> None:
        if not self.complete and self._error is None:  # the first one is the cause of the others
            self._error = error
            self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error


class Connection(asyncio.Protocol):
    """`released` is called when the connection is free for the next exchange, `lost` when it is gone."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        released: Callable[[Connection], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self.loop = loop
        self.closed = False
        self._released = released
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._arrived: list[bytes] = []
        self.on_body = self._arrived.append  # called for each HTTP chunk: the cheapest callable there is
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        self._head_bytes = 0
        self._head_complete = False
        self._paused = False

    async def exchange(self, request: bytes) -> Response:
        """Send one request and wait for the head of its answer.

        Raises ConnectionLostError, or ValueError when what comes is no HTTP.
        """
        if self._transport is None or self.closed or self._transport.is_closing():
            raise ConnectionLostError("the connection is closed", clean=True)
        response = self._response = Response(self)
        self._head_complete = False
        self._head_bytes = 0
        self._transport.write(request)
        try:
            while not response.status:  # not our own state: the connection may be in other hands already
                response.raise_error()
                await response.wait()
        except BaseException:
            self.abort()
            raise
        return response

    def abort(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and self._paused and not self.closed:
            self._paused = False
            self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:  # bytes that nobody asked for: never reuse this connection
            self.abort()
            return
        if not self._head_complete:
            self._head_bytes += len(data)
        try:
            self._parse(data, response)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(ValueError(f"sent something that is no HTTP ({type(error).__name__})"))
            return
        if not self._head_complete and self._head_bytes > _MAX_HEAD_BYTES:
            self._fail(ValueError(f"sent headers of more than {_MAX_HEAD_BYTES} bytes"))
            return
        response.wake()

    def _parse(self, data: bytes, response: Response) -> None:
        try:
            self._parser.feed_data(data)
        finally:
            if self._arrived:
                response.take(self._arrived)
                self._arrived.clear()

    def eof_received(self) -> None:
        self.closed = True
        response = self._response
        if response is not None and self._head_complete and self._ends_with_connection(response):
            response.complete = True
            response.wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self._lost(self)
        if self._response is not None:
            clean = self._head_bytes == 0
            self._response.fail(
                ConnectionLostError(getattr(error, "strerror", None) or "closed the connection", clean=clean)
            )

    # httptools callbacks

    def on_message_begin(self) -> None:
        if self._response is None:  # more than the answer: whoever asks next must not get the rest of it
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response is not None and not self._head_complete:  # else it is a trailer
            self._response.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._response is None:
            return
        if status < 200:  # only a hint
            self._response.headers.clear()
            return
        self._response.status = status
        self._head_complete = True

    def on_message_complete(self) -> None:
        if not self._head_complete or self._response is None:  # a 1xx: the answer is still to come
            return
        response, self._response = self._response, None
        response.complete = True
        response.wake()
        if self._parser.should_keep_alive():
            self.resume_reading()
            self._released(self)
        else:
            self.abort()

    def _ends_with_connection(self, response: Response) -> bool:
        framed = b"content-length" in response.headers or b"transfer-encoding" in response.headers
        return not framed

    def _fail(self, error: Exception) -> None:
        if self._response is not None:
            self._response.fail(error)
        self.abort()
