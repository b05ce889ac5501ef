"""The load that opens streams: many at once, counted, or one after another, timed."""

import asyncio
import time
from typing import TypeVar, cast

from tests.bench.peers import HOST, Peer
from tests.bench.programs import CannotMeasureError

OPENING_AT_ONCE = 16
PATIENCE_SECONDS = 20.0
LAST_CHUNK = b"0\r\n\r\n"

Answer = TypeVar("Answer")


class Tally:
    """How many chunks all open streams have got together."""

    def __init__(self) -> None:
        self.chunks = 0


class OpenStream(asyncio.Protocol):
    """One stream held open; whatever comes is counted and forgotten."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request = request
        self._tally = tally
        self._begun: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._head = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._tally.chunks += data.count(b"data:")
        if not self._begun.done():
            self._head += data
            if b"data:" in self._head:
                self._begun.set_result(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._begun.done():
            self._begun.set_result(self._head)

    async def begun(self) -> None:
        """Wait for the first chunk."""
        head = await _patiently(self._begun)
        if not head.startswith(b"HTTP/1.1 200"):
            raise CannotMeasureError(f"a stream was refused: {head[:500]!r}")

    def close(self) -> None:
        """Leave, as a client does that has heard enough."""
        self._transport.abort()

    @property
    def alive(self) -> bool:
        """Whether it is still open."""
        return not self._transport.is_closing()


class OpenStreams:
    """A number of streams open at the same time."""

    def __init__(self, peer: Peer, case: str, number: int) -> None:
        self._peer, self._case, self._number = peer, case, number
        self._streams: list[OpenStream] = []
        self.tally = Tally()

    async def __aenter__(self) -> "OpenStreams":
        while len(self._streams) < self._number:
            await asyncio.gather(
                *(self._open() for _ in range(min(OPENING_AT_ONCE, self._number - len(self._streams))))
            )
        return self

    async def __aexit__(self, failure: type[BaseException] | None, *_: object) -> None:
        lost = sum(not stream.alive for stream in self._streams)
        for stream in self._streams:
            stream.close()
        await asyncio.sleep(0.2)  # until the other side has noticed
        if lost and failure is None:
            raise CannotMeasureError(f"{self._peer.name} dropped {lost} of {self._number} {self._case} streams")

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        door = self._peer.doors[self._case]
        _, stream = await loop.create_connection(lambda: OpenStream(door.request, self.tally), HOST, door.port)
        self._streams.append(stream)
        await stream.begun()


class Probe(asyncio.Protocol):
    """One connection that asks for one short stream after another and times their first chunks."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport
        self._received = b""
        self._asked_at = 0.0
        self._first_after: float | None = None
        self._ended: asyncio.Future[float]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def ask(self) -> float:
        """The seconds from the request to the first chunk of its answer."""
        self._ended = asyncio.get_running_loop().create_future()
        self._received, self._first_after = b"", None
        self._asked_at = time.perf_counter()
        self._transport.write(self._request)
        return await _patiently(self._ended)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._received += data
        if self._first_after is None and b"data:" in self._received:
            self._first_after = now - self._asked_at
        if self._first_after is not None and self._received.endswith(LAST_CHUNK):
            self._ended.set_result(self._first_after)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._first_after is None and not self._ended.done():
            self._ended.set_exception(CannotMeasureError(f"a stream was refused: {self._received[:500]!r}"))

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


async def first_chunks(peer: Peer, seconds: float) -> list[float]:
    """The times to the first chunk of streams opened one after another, for so many seconds."""
    door = peer.doors["probe"]
    loop = asyncio.get_running_loop()
    _, probe = await loop.create_connection(lambda: Probe(door.request), HOST, door.port)
    times: list[float] = []
    deadline = loop.time() + seconds
    try:
        while loop.time() < deadline:
            times.append(await probe.ask())
    finally:
        probe.close()
    return times


async def _patiently(answer: asyncio.Future[Answer]) -> Answer:
    try:
        return await asyncio.wait_for(answer, PATIENCE_SECONDS)
    except TimeoutError:
        raise CannotMeasureError(f"a stream gave nothing for {PATIENCE_SECONDS:g} s") from None
