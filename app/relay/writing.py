"""What backends write of one answer, one after the other, made fit for its client; and the proof of its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from app.domain.decision import Route
from app.domain.errors import StreamBrokenError
from app.relay.collect import collect
from app.relay.doubt import Doubt
from app.relay.sieve import Sieve
from app.relay.transcript import Transcript, with_role
from app.relay.watch import Watch


class Fits(Protocol):
    """Fits the events of one backend to what others have written (a seam)."""

    ended: bool

    def feed(self, block: bytes) -> bytes:
        """Whole events in, whole events out. Raises ValueError."""


class Writing:
    """`route` says who writes now; `attend` is what each token reads: whether there is a reason to leave. `doubt` is
    None for an answer that nobody judges.
    """

    __slots__ = ("_blocks", "_include_usage", "_sieve", "attend", "doubt", "route", "seam", "transcript", "watch")

    def __init__(
        self,
        route: Route,
        blocks: AsyncGenerator[bytes, None],
        watch: Watch,
        *,
        include_usage: bool,
        single: bool = True,
        doubt: Doubt | None = None,
    ) -> None:
        self.route = route
        self.watch = watch
        self.transcript = Transcript()
        self.attend = False
        self.seam: Fits | None = None
        self.doubt = doubt
        self._include_usage = include_usage
        self._blocks = blocks
        self._sieve = Sieve(route.backend, include_usage=include_usage, single=single)

    @property
    def usage(self) -> dict[str, Any] | None:
        """Of the whole answer; None while nobody has told."""
        return self._sieve.usage or (self.transcript.usage() if self._sieve.ended else None)

    @property
    def finished(self) -> bool:
        """Whether its last word has been read."""
        return self._sieve.finished or self._sieve.ended

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

    def opened(self, block: bytes, *, chat: bool) -> bytes:
        """The first block, with a role in it if it is of a chat. Raises StreamBrokenError."""
        if chat and not self._sieve.spoken:
            try:
                block = with_role(block)
            except ValueError as error:
                raise StreamBrokenError(self.route.backend, "sent an event that is no JSON") from error
        self._sieve.spoken = True
        return block

    def begin_anew(self) -> None:
        """Nothing was ever written."""
        self.transcript = Transcript()
        self.seam = None
        self._sieve = Sieve(self.route.backend, include_usage=self._include_usage, single=True)

    def go_on(self, route: Route, blocks: AsyncGenerator[bytes, None], seam: Fits) -> None:
        """From now on these are the blocks, as the seam makes them fit."""
        self.route, self._blocks, self.seam = route, blocks, seam
        if self.doubt is not None:
            self.doubt.listen(route)
        self._sieve.backend, self._sieve.bad = route.backend, None

    def fit(self, block: bytes) -> bytes:
        """What of a block the client gets. Raises StreamBrokenError."""
        if self.seam is not None:
            block = self._joined(self.seam, block)
        if self.doubt is not None:
            block = self.doubt.hear(block)
            self.attend = self.attend or self.doubt.risen
        block = self._sieve.feed(block)
        self.transcript.events += block
        return block

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

    def _joined(self, seam: Fits, block: bytes) -> bytes:
        try:
            return seam.feed(block)
        except ValueError as error:
            raise StreamBrokenError(self.route.backend, f"can't be joined to what was written: {error}") from error
