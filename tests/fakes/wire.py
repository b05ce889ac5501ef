"""One accepted connection of a fake server: requests in, bytes out, and word of a client that has gone."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson


@dataclass(frozen=True)
class Request:
    """What came: the names of the headers are lower case, `body` is the parsed JSON, None when there is none."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    connection: int


class Wire:
    """`number` counts the connections of the server from 1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer
        self._ahead = b""

    async def next_request(self) -> Request | None:
        """None when the client closes instead of asking."""
        while b"\r\n\r\n" not in self._ahead:
            if not await self._read_on():
                return None
        head, _, self._ahead = self._ahead.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._ahead) < length:
            if not await self._read_on():
                return None
        content, self._ahead = self._ahead[:length], self._ahead[length:]
        return Request(method, path, headers, orjson.loads(content) if content else None, self.number)

    async def until_client_leaves(self) -> None:
        while await self._read_on():
            """What comes now is kept for the next request."""

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._writer.write(f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode("latin-1"))

    async def write(self, data: bytes) -> None:
        if self.closing:  # uvloop would not call it a ConnectionError
            raise ConnectionResetError
        self._writer.write(data)
        await self._writer.drain()

    def break_off(self, *, reset: bool) -> None:
        if reset:
            connection = self._writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.close()

    @property
    def closing(self) -> bool:
        return self._writer.is_closing()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def _read_on(self) -> bool:
        try:
            data = await self._reader.read(65536)
        except ConnectionError:
            return False
        self._ahead += data
        return bool(data)
