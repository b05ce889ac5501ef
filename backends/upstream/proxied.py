"""The same exchanges through the proxy that the environment names, by httpx: slower, and rarely wanted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

from backends.upstream.connection import ConnectionLostError


class ProxiedPool:
    """Speaks for `backends.upstream.pool.Pool` where HTTPS_PROXY or HTTP_PROXY stands between us and the server."""

    def __init__(self, origin: str, connect_seconds: float) -> None:
        self._origin = origin
        timeout = httpx.Timeout(None, connect=connect_seconds)
        limits = httpx.Limits(max_connections=None)
        self._client = httpx.AsyncClient(timeout=timeout, limits=limits, follow_redirects=False)
        self._closing: asyncio.Task[None] | None = None

    async def exchange(self, request: bytes) -> ProxiedAnswer:
        """Takes the request as it goes on the wire: callers need not know which pool they have."""
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        built = self._client.build_request(method, self._origin + target, headers=headers, content=body)
        try:
            return ProxiedAnswer(await self._client.send(built, stream=True))
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.HTTPError as error:
            raise ConnectionLostError(str(error), clean=False) from error

    def close(self) -> None:
        self._closing = asyncio.ensure_future(self._client.aclose())


class ProxiedAnswer:
    """An httpx response, read as our own are."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.raw}
        self._response = response
        self._bytes: AsyncIterator[bytes] = response.aiter_bytes()
        self._closing: asyncio.Task[None] | None = None

    async def read(self) -> bytes:
        try:
            return await anext(self._bytes, b"")
        except httpx.HTTPError as error:
            raise ConnectionLostError(str(error), clean=False) from error

    async def read_all(self, limit_bytes: int) -> bytes:
        parts, size = [], 0
        while size < limit_bytes and (data := await self.read()):
            parts.append(data)
            size += len(data)
        return b"".join(parts)[:limit_bytes]

    def finish(self) -> None:
        self.close()

    def close(self) -> None:
        if not self._response.is_closed:
            self._closing = asyncio.ensure_future(self._response.aclose())
