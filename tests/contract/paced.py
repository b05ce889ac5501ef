"""Answers of a fake upstream that take time by the clock of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fakes.answers import Answer, Script
from tests.fakes.clock import FakeClock
from tests.fakes.openai_server import OpenAiServer
from tests.fakes.wire import Request, Wire

#: As many as it takes to say how fast they were written.
TEN_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_TURNS = 20  # until a client in the same loop has read what was written


@dataclass(frozen=True)
class Paced:
    """A streamed answer, a word a piece: so many seconds until the first, and so many before each other one."""

    pieces: Sequence[bytes]
    clock: FakeClock
    first_seconds: float
    each_seconds: float

    async def send(self, wire: Wire) -> None:
        self.clock.advance(self.first_seconds)
        wire.head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for number, piece in enumerate(self.pieces):
            if number:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                self.clock.advance(self.each_seconds)
            await wire.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await wire.write(b"0\r\n\r\n")


def paced(server: OpenAiServer, clock: FakeClock, *, first_seconds: float, each_seconds: float = 0.0) -> Script:
    """What the server says to a conversation anyway, but so slowly."""

    def script(request: Request) -> Answer:
        if not request.path.endswith("/chat/completions"):
            return server.answer(request)
        role, *pieces = server.pieces(request)
        words, ending = pieces[: len(server.words)], pieces[len(server.words) :]
        words[0] = role + words[0]
        words[-1] += b"".join(ending)
        return Paced(words, clock, first_seconds, each_seconds)

    return script
