"""One answer on its way: blocks of events that are fit for the client, whoever writes them, and proof of its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from app.domain.decision import Route
from app.domain.errors import BackendError, StreamBrokenError
from app.domain.sse import DONE
from app.relay.collect import collect
from app.relay.delivery import Delivery
from app.relay.sieve import Sieve
from app.relay.transcript import Transcript, with_role
from app.relay.watch import Watch


class Fits(Protocol):
    """Fits the events of one backend to what others have written (a seam)."""

    ended: bool

    def feed(self, block: bytes) -> bytes:
        """Whole events in, whole events out. Raises ValueError."""


class Moves(Protocol):
    """Takes an answer elsewhere."""

    async def recover(self, answer: Answer, error: BackendError) -> bytes:
        """Go on elsewhere after a fault: the next block. Raises BackendError when nothing can go on."""

    async def attend(self, answer: Answer) -> bytes | None:
        """There is a reason to leave: the next block if it has left, None to read on here."""

    def wants_buffer(self, answer: Answer) -> bool:
        """Whether its leaving is worth holding some of it back for."""


class Answer:
    """What backends write, watched; `route` says who writes now.

    `attend` is what each token reads: whether there is a reason to leave; `mover` knows which, and is None for one that
    nobody moves. `delivery` holds back some of what was read, `complete` says that all of it is out.
    """

    __slots__ = (
        *("_blocks", "_pump", "_sieve", "attend", "complete", "delivery", "first"),
        *("mover", "route", "seam", "transcript", "watch"),
    )

    def __init__(
        self,
        route: Route,
        blocks: AsyncGenerator[bytes, None],
        watch: Watch,
        *,
        include_usage: bool,
        single: bool = True,
        mover: Moves | None = None,
    ) -> None:
        self.route = route
        self.watch = watch
        self.transcript = Transcript()
        self.first = b""
        self.complete = False
        self.attend = False
        self.mover = mover
        self.seam: Fits | None = None
        self.delivery: Delivery | None = None
        self._blocks = blocks
        self._sieve = Sieve(route.backend, include_usage=include_usage, single=single)
        self._pump: asyncio.Task[None] | None = None

    @property
    def usage(self) -> dict[str, Any] | None:
        """Of the whole answer; None while nobody has told."""
        return self._sieve.usage or (self.transcript.usage() if self._sieve.ended else None)

    async def next(self) -> bytes:
        """The next block of whole events, empty when nothing of it is for the client; `data: [DONE]` is last.

        Raises StreamBrokenError or BackendTimeoutError.
        """
        if self.attend:
            return await self._attend()
        try:
            block = await self.step()
        except BackendError as error:
            block = await self._mended(error)
        self.complete = self._sieve.ended
        return block

    def go_on(self, route: Route, blocks: AsyncGenerator[bytes, None], seam: Fits) -> None:
        """From now on these are the blocks, as the seam makes them fit."""
        self.route, self._blocks, self.seam = route, blocks, seam
        self._sieve.backend, self._sieve.bad = route.backend, None

    def fit(self, block: bytes) -> bytes:
        """What of a block the client gets. Raises StreamBrokenError."""
        if self.seam is not None:
            block = self._joined(self.seam, block)
        block = self._sieve.feed(block)
        self.transcript.events += block
        return block

    def begin(self, *, chat: bool) -> None:
        """Its first block is there: see that it is good, and that it has a role.

        Raises StreamBrokenError, ValueError for an event that is no object.
        """
        self.check()
        if chat:
            self.first = with_role(self.first)
        self._sieve.spoken = True

    def whole(self) -> dict[str, Any]:
        """A complete answer as one object. Raises StreamBrokenError when some event of it makes no sense."""
        try:
            return collect(bytes(self.transcript.events), self.usage)
        except ValueError as error:
            raise StreamBrokenError(self.route.backend, "sent an event that is no completion") from error

    def check(self) -> None:
        """Raises StreamBrokenError when some of what was read was bad, and has not been told yet."""
        if self._sieve.bad is not None:
            raise self._sieve.bad

    async def stop_writing(self) -> None:
        """Stop the backend, if it still writes."""
        await self._blocks.aclose()

    async def aclose(self) -> None:
        """Stop whatever is done for it."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        await self.stop_writing()

    async def _read(self) -> bytes:
        try:
            return await self.step()
        except BackendError as error:
            return await self._mended(error)

    async def _mended(self, error: BackendError) -> bytes:
        """The next block in spite of a fault. Raises the error where nothing can go on."""
        if self._sieve.finished:  # all that matters has been said
            return self._sieve.end()
        if self.mover is None:
            raise error
        return await self.mover.recover(self, error)

    async def step(self) -> bytes:
        """The next block of the backend that writes now, and nobody else's. Raises as `next` does."""
        self.check()
        watch = self.watch
        watch.waiting_since = watch.clock()
        try:
            block = await self._blocks.__anext__()
        except StopAsyncIteration:
            return self._sieve.end()
        except asyncio.CancelledError as error:  # as in Watch.guard, without a coroutine for every block
            raise watch.cause(error) from None
        finally:
            watch.waiting_since = None
        return self.fit(block)

    async def _attend(self) -> bytes:
        """There is a reason to leave. From a backend that need not be left at once, a task of its own reads on, so that
        some of the answer can be held back for the moment of the change.
        """
        assert self.mover is not None  # noqa: S101 (nobody else sets `attend`)
        if self.delivery is None and self.mover.wants_buffer(self):
            self.delivery = Delivery(self.watch.clock)
            self._pump = self.watch.reader = asyncio.create_task(self._pump_into(self.delivery))
        if self.delivery is not None:
            block = await self.delivery.next()
            self.complete = block.endswith(DONE)
            return block
        self.attend = False  # until somebody says so again
        moved = await self.mover.attend(self)
        block = await self._read() if moved is None else moved
        self.complete = self._sieve.ended
        return block

    async def _pump_into(self, delivery: Delivery) -> None:
        assert self.mover is not None  # noqa: S101
        try:
            while not self._sieve.ended:
                await delivery.room()
                moved = await self.mover.attend(self) if self.attend else None
                delivery.put(await self._read() if moved is None else moved)
        except BaseException as error:
            delivery.close(error)
            if not isinstance(error, BackendError):
                raise
        else:
            delivery.close()

    def _joined(self, seam: Fits, block: bytes) -> bytes:
        try:
            return seam.feed(block)
        except ValueError as error:
            raise StreamBrokenError(self.route.backend, f"can't be joined to what was written: {error}") from error
