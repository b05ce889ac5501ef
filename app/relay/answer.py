"""One answer on its way: blocks of events that are fit for the client, whoever writes them, and proof of its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Protocol

import orjson

from app.domain.decision import Route
from app.domain.errors import BackendError, StreamBrokenError
from app.domain.sse import DONE, encode, payloads
from app.relay.collect import collect
from app.relay.delivery import Delivery
from app.relay.transcript import Transcript
from app.relay.watch import Watch

#: The usage and the end come last: of a large block only this much is searched for them.
_TAIL_BYTES = 4096


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

    Leaves out what the client did not ask for (the usage event) and lets `[DONE]` through only after a
    finish_reason, so that what was cut short never looks like a success. `attend` is what each token reads: whether
    there is a reason to leave; `mover` knows which, and is None for an answer that nobody moves. `spoken` says that the
    client has been given a role, `delivery` holds back some of what was read.
    """

    __slots__ = (
        *("_blocks", "_broken", "_ended", "_finished", "_include_usage", "_proven", "_pump", "_single", "attend"),
        *("complete", "delivery", "first", "mover", "route", "seam", "spoken", "transcript", "usage", "watch"),
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
        self.usage: dict[str, Any] | None = None
        self.first = b""
        self.complete = False
        self.spoken = False
        self.attend = False
        self.mover = mover
        self._blocks = blocks
        self.seam: Fits | None = None
        self._include_usage = include_usage
        self._single = single
        self._proven = self._finished = self._ended = False
        self._broken: StreamBrokenError | None = None
        self.delivery: Delivery | None = None
        self._pump: asyncio.Task[None] | None = None

    async def next(self) -> bytes:
        """The next block of whole events, empty when nothing of it is for the client; `data: [DONE]` is last.

        Raises StreamBrokenError or BackendTimeoutError.
        """
        if self.attend:
            return await self._attend()
        block = await self._read()
        self.complete = self._ended
        return block

    def go_on(self, route: Route, blocks: AsyncGenerator[bytes, None], seam: Fits) -> None:
        """From now on these are the blocks, as the seam makes them fit."""
        self.route, self._blocks, self.seam, self._broken = route, blocks, seam, None

    def fit(self, block: bytes) -> bytes:
        """What of a block the client gets. Raises StreamBrokenError."""
        if self.seam is not None:
            block = self._joined(block)
        if (
            self._finished
            or block.find(DONE, -_TAIL_BYTES) >= 0
            or block.count(b"}\n\n") != block.count(b"\n\n")
            or _remarkable(block)
        ):
            block = self._inspected(block)
        self.transcript.events += block
        return block

    def end(self) -> bytes:
        """The last words. Raises StreamBrokenError when they can't be: there was no finish_reason."""
        if not self._proven:
            raise StreamBrokenError(self.route.backend, "ended without a finish_reason")
        self.usage = self.usage or self.transcript.usage()
        self._ended = True
        return DONE

    def whole(self) -> dict[str, Any]:
        """A complete answer as one object. Raises StreamBrokenError when some event of it makes no sense."""
        try:
            return collect(bytes(self.transcript.events), self.usage)
        except ValueError as error:
            raise StreamBrokenError(self.route.backend, "sent an event that is no completion") from error

    def check(self) -> None:
        """Raises StreamBrokenError when some of what was read was bad, and has not been told yet."""
        if self._broken is not None:
            raise self._broken

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
            if self._finished:  # all that matters has been said
                return self.end()
            if self.mover is None:
                raise
            return await self.mover.recover(self, error)

    async def step(self) -> bytes:
        """The next block of the backend that writes now, and nobody else's. Raises as `next` does."""
        self.check()
        watch = self.watch
        watch.waiting_since = watch.clock()
        try:
            block = await self._blocks.__anext__()
        except StopAsyncIteration:
            return self.end()
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
        self.complete = self._ended
        return block

    async def _pump_into(self, delivery: Delivery) -> None:
        assert self.mover is not None  # noqa: S101
        try:
            while not self._ended:
                await delivery.room()
                moved = await self.mover.attend(self) if self.attend else None
                delivery.put(await self._read() if moved is None else moved)
        except BaseException as error:
            delivery.close(error)
            if not isinstance(error, BackendError):
                raise
        else:
            delivery.close()

    def _joined(self, block: bytes) -> bytes:
        assert self.seam is not None  # noqa: S101
        try:
            return self.seam.feed(block)
        except ValueError as error:
            raise StreamBrokenError(self.route.backend, f"can't be joined to what was written: {error}") from error

    def _inspected(self, block: bytes) -> bytes:
        """The block up to the first bad event; that one's error is raised when it would come."""
        kept: list[bytes] = []
        try:
            for data in payloads(block):
                if data == b"[DONE]":
                    kept.append(self.end())
                    break
                kept.append(self._event(data))
        except StreamBrokenError as error:
            if not any(kept):
                raise
            self._broken = error
        return b"".join(kept)

    def _event(self, data: bytes) -> bytes:
        if not self._finished and data.endswith(b"}") and not _remarkable(data):
            return encode(data)
        return self._looked_at(data, self._parsed(data))

    def _looked_at(self, data: bytes, event: dict[str, Any]) -> bytes:
        if event.get("error"):
            raise StreamBrokenError(self.route.backend, "reported an error instead of an answer")
        changed = "error" in event
        event.pop("error", None)  # some servers say that there is none; to some SDKs that is one
        choices = event.get("choices")
        if choices == []:
            return self._without_choices(data, event, changed=changed)
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            if self._finished:
                return b""
            if self._single:
                changed |= self._without_second_role(choices[0])
            if choices[0].get("finish_reason"):
                self._proven, self._finished = True, self._single
            elif choices[0].get("delta") == {} and changed:
                return b""
        return encode(orjson.dumps(event)) if changed else encode(data)

    def _without_choices(self, data: bytes, event: dict[str, Any], *, changed: bool) -> bytes:
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.usage = usage
        if usage is None or not self._include_usage:
            return b""
        return encode(orjson.dumps(event)) if changed else encode(data)

    def _without_second_role(self, choice: dict[str, Any]) -> bool:
        delta = choice.get("delta")
        if not isinstance(delta, dict) or "role" not in delta or not self.spoken:
            return False
        del delta["role"]
        if not delta.get("content") and len(delta) == 1:
            delta.clear()
        return True

    def _parsed(self, data: bytes) -> dict[str, Any]:
        try:
            event = orjson.loads(data)
        except ValueError as error:
            raise StreamBrokenError(self.route.backend, "sent an event that is no JSON") from error
        if not isinstance(event, dict):
            raise StreamBrokenError(self.route.backend, "sent an event that is no object")
        return event


def _remarkable(events: bytes) -> bool:
    """Whether they need a closer look; in a string of JSON the quotes would be escaped. Every block is searched."""
    return (
        b'"finish_reason":"' in events
        or b'"role"' in events
        or b'"error"' in events
        or b'"choices":[]' in events
        or b'"finish_reason": "' in events
        or b'"choices": []' in events
    )
