"""The connections to one origin: free ones are used again, last in first out."""

from __future__ import annotations

import asyncio
import ssl

from backends.upstream.connection import Connection, ConnectionLostError, Response

_MAX_IDLE = 512


class Pool:
    """Grows as needed (the backend's concurrency limit bounds it) and keeps at most `_MAX_IDLE` free connections."""

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None, connect_seconds: float) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()

    async def exchange(self, request: bytes) -> Response:
        """Send a request and wait for the answer's head.

        A free connection may have been closed by the other side meanwhile; when it is lost before one byte of
        the answer came, the request goes out once more on a new one (RFC 9112, section 9.3.1).
        Raises OSError, TimeoutError (connecting), ConnectionLostError, ValueError (no HTTP).
        """
        while self._idle:
            connection = self._idle.pop()
            if connection.closed:
                continue
            try:
                return await connection.exchange(request)
            except ConnectionLostError as error:
                if not error.clean:
                    raise
        connection = await self._connect()
        return await connection.exchange(request)

    def close(self) -> None:
        self._idle.clear()
        for connection in tuple(self._open):
            connection.abort()

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._connect_seconds):
            _, connection = await loop.create_connection(
                lambda: Connection(loop, self._release, self._open.discard),
                self._host,
                self._port,
                ssl=self._tls,
            )
        if not connection.closed:
            self._open.add(connection)
        return connection

    def _release(self, connection: Connection) -> None:
        if len(self._idle) < _MAX_IDLE and not connection.closed:
            self._idle.append(connection)
        else:
            connection.abort()
