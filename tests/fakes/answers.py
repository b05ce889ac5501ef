"""What a fake server may answer, misbehaviour included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import orjson

from tests.fakes.wire import Request, Wire

_TURNS = 5  # to be readable, read, woken, and handed on


class Answer(Protocol):
    """One way to answer, or not to."""

    async def send(self, wire: Wire) -> None: ...


Script = Callable[[Request], Answer]


class Cut(Enum):
    """A place in a stream where the connection ends before the message does."""

    RESET = "with a TCP reset"
    CLOSE = "with an ordinary close"

    async def send(self, wire: Wire) -> None:
        wire.break_off(reset=self is Cut.RESET)


RESET = Cut.RESET
CLOSE = Cut.CLOSE


@dataclass(frozen=True)
class Json:
    """A whole answer with its length; a `dict` or a `list` goes out as JSON, bytes go out as they are."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    async def send(self, wire: Wire) -> None:
        content = self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)
        wire.head(self.status, {"Content-Type": self.content_type, "Content-Length": str(len(content)), **self.headers})
        await wire.write(content)


@dataclass(frozen=True)
class Stream:
    """A chunked answer: bytes are one piece each, an Event is waited for, a `Cut` ends it too early.

    `apart` lets the loop turn after each piece, so that a client in the same loop reads them one by one.
    """

    pieces: Sequence[bytes | asyncio.Event | Cut]
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    apart: bool = False

    async def send(self, wire: Wire) -> None:
        wire.head(200, {"Content-Type": self.content_type, "Transfer-Encoding": "chunked", **self.headers})
        for piece in self.pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            elif isinstance(piece, Cut):
                await piece.send(wire)
                return
            else:
                await wire.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                for _ in range(_TURNS if self.apart else 0):
                    await asyncio.sleep(0)
        await wire.write(b"0\r\n\r\n")


@dataclass(frozen=True)
class Raw:
    """These very bytes (pieces, gates and cuts as in `Stream`), and then the end of the connection unless `stay`."""

    pieces: Sequence[bytes | asyncio.Event | Cut]
    stay: bool = False

    async def send(self, wire: Wire) -> None:
        for piece in self.pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            elif isinstance(piece, Cut):
                await piece.send(wire)
                return
            else:
                await wire.write(piece)
        if not self.stay:
            wire.break_off(reset=False)


@dataclass(frozen=True)
class Silence:
    """Not one byte until `until` is set, then what `then` says."""

    until: asyncio.Event = field(default_factory=asyncio.Event)
    then: Answer = RESET

    async def send(self, wire: Wire) -> None:
        await self.until.wait()
        await self.then.send(wire)
