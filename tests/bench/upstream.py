"""A fake upstream that streams: everything at once, one chunk every few milliseconds, or nothing any more.

    python -m tests.bench.upstream PORT

The first part of the path says which: `/short/v1/...` is one token, `/burst/v1/...` 64 of them at once,
`/paced5/v1/...` and `/paced40/v1/...` one chunk every 5 or 40 ms, `/probe/v1/...` a short stream whose end
comes a little after its beginning, `/idle/v1/...` a stream that never goes on. It is Python because nginx
cannot be made to send each event as an HTTP chunk of its own, as llama.cpp does, and is slower at it anyhow.
"""

import asyncio
import gc
import sys
from typing import cast

import httptools
import uvloop

from tests.bench import wire

HOST = "127.0.0.1"
TICK_SECONDS = 0.001
PROBE_ENDS_AFTER_SECONDS = 0.002
LAST_CHUNK = b"0\r\n\r\n"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class Wheel:
    """Sends one chunk per interval to every stream on it, the streams spread evenly over the interval."""

    def __init__(self, interval_ms: int) -> None:
        self._slots: list[dict[asyncio.Transport, None]] = [{} for _ in range(interval_ms)]
        self._chunk = wire.chunked([wire.content_event(f"paced{interval_ms}")])
        self._at = 0
        self._due = 0.0
        self._turning = False

    def add(self, transport: asyncio.Transport) -> None:
        """Put a stream into the emptiest slot."""
        min(self._slots, key=len)[transport] = None
        if not self._turning:
            self._turning = True
            self._due = asyncio.get_running_loop().time()
            self._turn()

    def drop(self, transport: asyncio.Transport) -> None:
        """Forget a stream that has ended, or that cannot take more for the moment."""
        for slot in self._slots:
            slot.pop(transport, None)

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._due > len(self._slots) * TICK_SECONDS:
            self._due = now  # a whole turn behind: what was not sent is lost, not owed
        while self._due <= now:
            for transport in self._slots[self._at]:
                transport.write(self._chunk)
            self._at = (self._at + 1) % len(self._slots)
            self._due += TICK_SECONDS
        self._turning = any(self._slots)
        if self._turning:
            loop.call_at(self._due, self._turn)


class Answers:
    """What each first part of a path is answered with."""

    def __init__(self) -> None:
        self._at_once = {b"short": _stream("short", 1), b"burst": _stream("burst", wire.CHUNKS_PER_BURST)}
        self._wheels = {b"paced5": Wheel(5), b"paced40": Wheel(40)}
        self._probe_end = wire.chunked(wire.last_events("probe")) + LAST_CHUNK

    def send(self, url: bytes, transport: asyncio.Transport) -> Wheel | None:
        """Answer one request; the wheel that goes on answering it, if one does."""
        name = url.split(b"/", 2)[1]
        if url.endswith(b"/models"):
            transport.write(_whole(wire.models(name.decode())))
        elif name in self._at_once:
            transport.write(self._at_once[name])
        else:
            return self._start(name, transport)
        return None

    def _start(self, name: bytes, transport: asyncio.Transport) -> Wheel | None:
        transport.write(STREAM_HEAD + wire.chunked([wire.first_event(name.decode())]))
        if name == b"probe":
            loop = asyncio.get_running_loop()
            loop.call_later(PROBE_ENDS_AFTER_SECONDS, transport.write, self._probe_end)
        wheel = self._wheels.get(name)
        if wheel:
            wheel.add(transport)
        return wheel


def _whole(body: str) -> bytes:
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return (head % len(body) + body).encode()


def _stream(model: str, contents: int) -> bytes:
    events = [wire.first_event(model), *[wire.content_event(model)] * contents, *wire.last_events(model)]
    return STREAM_HEAD + wire.chunked(events) + LAST_CHUNK


class Connection(asyncio.Protocol):
    """One connection from a gateway (or from the load itself): requests in, canned bytes out."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._parser = httptools.HttpRequestParser(self)
        self._wheel: Wheel | None = None
        self._transport: asyncio.Transport
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        self._wheel = self._answers.send(self._url, self._transport)

    def pause_writing(self) -> None:
        if self._wheel:
            self._wheel.drop(self._transport)

    def resume_writing(self) -> None:
        if self._wheel:
            self._wheel.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._wheel:
            self._wheel.drop(self._transport)
            self._wheel = None


async def serve(port: int) -> None:
    """Answer until the process is ended."""
    answers = Answers()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answers), HOST, port, backlog=2048)
    gc.freeze()
    gc.disable()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
