"""One answer on its way: blocks of events that are fit for the client, whoever writes them, and proof of its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from app.domain.confidence import Attempt
from app.domain.decision import Route
from app.domain.errors import BackendError
from app.domain.sse import DONE
from app.relay.delivery import Delivery
from app.relay.doubt import Doubt, Draft
from app.relay.sentences import whole_sentences
from app.relay.watch import Watch
from app.relay.writing import Writing


class Moves(Protocol):
    """Takes an answer elsewhere."""

    async def recover(self, answer: Answer, error: BackendError) -> bytes:
        """Go on elsewhere after a fault: the next block. Raises BackendError when nothing can go on."""

    async def attend(self, answer: Answer) -> bytes | None:
        """There is a reason to leave: the next block if it has left, None to read on here."""

    async def reconsider(self, answer: Answer) -> bytes | None:
        """All is written and nothing sent: the next block if another attempt is made, None to leave it at that."""

    def wants_buffer(self, answer: Answer) -> bool:
        """Whether its leaving is worth holding some of it back for."""


class Answer(Writing):
    """`mover` knows the reasons to leave, and is None for an answer that nobody moves. `delivery` holds back some of
    what was read, `complete` says that all of it is out, `first` is what its client gets first.
    """

    __slots__ = ("_pump", "complete", "delivery", "first", "mover")

    def __init__(
        self,
        route: Route,
        blocks: AsyncGenerator[bytes, None],
        watch: Watch,
        *,
        include_usage: bool,
        single: bool = True,
        mover: Moves | None = None,
        doubt: Doubt | None = None,
    ) -> None:
        super().__init__(route, blocks, watch, include_usage=include_usage, single=single, doubt=doubt)
        self.first = b""
        self.complete = False
        self.mover = mover
        self.delivery: Delivery | None = None
        self._pump: asyncio.Task[None] | None = None

    async def next(self) -> bytes:
        """The next block of whole events, empty when nothing of it is for the client; `data: [DONE]` is last.

        Raises StreamBrokenError or BackendTimeoutError.
        """
        if self.attend or self.doubt is not None or self.delivery is not None:
            return await self._attend()
        try:
            block = await self.step()
        except BackendError as error:
            block = await self._mended(error)
        self.complete = self._sieve.ended
        return block

    @property
    def judged(self) -> Sequence[Attempt]:
        """What was made of it so far."""
        return () if self.doubt is None else self.doubt.attempts

    @property
    def unsent(self) -> bool:
        """Whether its client has nothing of it yet, and gets nothing before it is judged."""
        if self.doubt is None:
            return False
        return self.doubt.withholds if self.delivery is None else not self.delivery.began

    async def start(self, *, chat: bool) -> None:
        """Until its first block is there, and good. Raises StreamBrokenError or BackendTimeoutError."""
        while not self.first:
            self.first = await self.step()
        self.check()
        self.first = self.opened(self.first, chat=chat)
        self.complete = self._sieve.ended and self.doubt is None

    async def scrutinise(self) -> None:
        """Until its client may be sent something, which is `first` then. Raises as `next` does."""
        doubt = self.doubt
        if doubt is None:
            return
        if doubt.holds:
            policy = doubt.policy
            held = Delivery(self.watch.clock, hold_tokens=policy.hold_tokens, hold_seconds=policy.hold_seconds)
            self._read_ahead(held, self.first)
            self.first = await self.next()
        elif not doubt.withholds:
            self.first = await self._judged(self.first)
            self.complete = self._sieve.ended
        elif doubt.job.stream:
            while not self.complete:
                self.first = await self.next()

    def take_back(self) -> None:
        """What the client has not been sent since the end of its last whole sentence was never written."""
        if self.unsent:
            self.drop()
        elif self.delivery is not None:
            held = self.delivery.unsent()
            dropped = held[whole_sentences(held) :]
            self.delivery.take_back(len(dropped))
            size = sum(len(event) for event in dropped if not event.startswith(b":"))
            del self.transcript.events[len(self.transcript.events) - size :]

    def drop(self) -> None:
        """Nothing was ever written."""
        self.begin_anew()
        if self.delivery is not None:
            self.delivery.take_back(self.delivery.held)

    def restore(self, draft: Draft) -> bytes:
        """What was written before, complete; its events."""
        self.drop()
        self.route = draft.route
        self._sieve.usage, self._sieve.proven, self._sieve.ended = draft.usage, True, True
        self.transcript.events += draft.events
        return self._everything()

    async def aclose(self) -> None:
        """Stop whatever is done for it."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        await self.stop_writing()

    async def _read(self) -> bytes:
        if self._sieve.ended:
            return await self._judged(b"")
        try:
            block = await self.step()
        except BackendError as error:
            block = await self._mended(error)
        return await self._judged(block)

    async def _judged(self, block: bytes) -> bytes:
        """After the last block of an answer that nobody has seen, perhaps the first of another's."""
        if not self._sieve.ended or self.doubt is None or self.mover is None:
            return block
        again = await self.mover.reconsider(self)
        return block if again is None else again

    async def _mended(self, error: BackendError) -> bytes:
        """The next block in spite of a fault. Raises the error where nothing can go on."""
        if self._sieve.finished:  # all that matters has been said
            return self._sieve.end()
        if self.mover is None:
            raise error
        return await self.mover.recover(self, error)

    async def _attend(self) -> bytes:
        """There may be a reason to leave. From a backend that need not be left at once, a task of its own reads on, so
        that some of the answer can be held back for the moment of the change.
        """
        if self.delivery is None and self.attend and not self.unsent and self._wants_buffer():
            delivery = Delivery(self.watch.clock)
            delivery.began = True
            self._read_ahead(delivery)
        if self.delivery is not None:
            block = await self.delivery.next()
            self.complete = block.endswith(DONE)
            return block
        block = await self._leave_or_read()
        self.complete = self._sieve.ended
        if self.doubt is None or not self.doubt.withholds:
            return block
        return self._everything() if self.complete else b""

    def _wants_buffer(self) -> bool:
        return self.mover is not None and self.mover.wants_buffer(self)

    def _everything(self) -> bytes:
        """All of a complete answer."""
        events = bytes(self.transcript.events)
        return events if events.endswith(DONE) else events + DONE

    async def _leave_or_read(self) -> bytes:
        moved = None
        if self.attend and self.mover is not None:
            self.attend = self.delivery is not None  # else until somebody says so again
            moved = await self.mover.attend(self)
        return await self._read() if moved is None else moved

    def _read_ahead(self, delivery: Delivery, block: bytes = b"") -> None:
        """A task of its own puts all that is read into the delivery, after the block."""
        self.delivery = delivery
        self._pump = self.watch.reader = asyncio.create_task(self._pump_into(delivery, block))

    async def _pump_into(self, delivery: Delivery, block: bytes) -> None:
        try:
            delivery.put(await self._judged(block))
            while not self._sieve.ended:
                await delivery.room()
                block = await self._leave_or_read()
                delivery.ending = self.finished
                delivery.put(block)
        except BaseException as error:
            delivery.close(error)
            if not isinstance(error, BackendError):
                raise
        else:
            delivery.close()
