"""A larger model that is always right, at the pace of a graphics card: what no machine here can run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.fakes.answers import Answer, Json
from tests.fakes.openai_server import OpenAiServer
from tests.fakes.wire import Request, Wire

#: An eight-billion model of four bits on a card of 60 W: what its makers and owners report.
FIRST_SECONDS, TOKEN_SECONDS, WATTS = 0.15, 0.02, 60


@dataclass(frozen=True)
class Slowly:
    """A streamed answer, a piece at a time."""

    pieces: Sequence[bytes]

    async def send(self, wire: Wire) -> None:
        await asyncio.sleep(FIRST_SECONDS)
        wire.head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for piece in self.pieces:
            await wire.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await asyncio.sleep(TOKEN_SECONDS)
        await wire.write(b"0\r\n\r\n")


class Oracle(OpenAiServer):
    """`truths` by question: it says a sentence with the truth in it."""

    model = "oracle-8b"

    def __init__(self, truths: Mapping[str, str]) -> None:
        super().__init__()
        self._truths = truths

    def said(self, request: Request) -> list[str]:
        asked = [turn["content"] for turn in request.body.get("messages", ()) if turn["role"] == "user"]
        known = next((self._truths[each] for each in reversed(asked) if each in self._truths), "I don't know.")
        return [known, "."]

    def completion(self, request: Request) -> Answer:
        if not request.body.get("stream"):
            return Json(self.whole(request))
        return Slowly(self.pieces(request))


@contextmanager
def oracle(truths: Mapping[str, str]) -> Iterator[str]:
    """Its URL; it serves from a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Oracle(truths)
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    try:
        yield server.url
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
