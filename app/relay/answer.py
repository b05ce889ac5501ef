"""One answer on its way: blocks of events that are fit for the client, and the proof that it is complete."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any

import orjson

from app.domain.decision import Route
from app.domain.errors import StreamBrokenError
from app.domain.sse import DONE, payloads
from app.relay.collect import collect
from app.relay.transcript import Transcript
from app.relay.watch import Watch

#: The usage and the end come last: of a large block only this much is searched for them.
_TAIL_BYTES = 4096

#: Some servers say that there is no error; to some SDKs that is one. In a string the quotes would be escaped.
_NO_ERROR = re.compile(rb',\s*"error":\s*null|"error":\s*null\s*,\s*')


def _last_without_choices(block: bytes, before: int) -> int:
    """Where the last event without choices says so; -1 when none does."""
    return max(block.rfind(b'"choices":[]', -_TAIL_BYTES, before), block.rfind(b'"choices": []', -_TAIL_BYTES, before))


class Answer:
    """What a backend writes, watched; `route` says who writes.

    Leaves out what the client did not ask for (the usage event) and lets `[DONE]` through only after a
    finish_reason, so that what was cut short never looks like a success.
    """

    __slots__ = ("_blocks", "_include_usage", "complete", "first", "route", "transcript", "usage", "watch")

    def __init__(self, route: Route, blocks: AsyncGenerator[bytes, None], watch: Watch, *, include_usage: bool) -> None:
        self.route = route
        self.watch = watch
        self.transcript = Transcript()
        self.usage: dict[str, Any] | None = None
        self.first = b""
        self.complete = False
        self._blocks = blocks
        self._include_usage = include_usage

    async def next(self) -> bytes:
        """The next block of whole events, empty when nothing of it is for the client; `data: [DONE]` is last.

        Raises StreamBrokenError or BackendTimeoutError.
        """
        watch = self.watch
        watch.waiting_since = watch.clock()
        try:
            block = await self._blocks.__anext__()
        except StopAsyncIteration:
            return self._end()
        except asyncio.CancelledError as error:  # as in Watch.guard, without a coroutine for every block
            raise watch.cause(error) from None
        finally:
            watch.waiting_since = None
        if block.find(DONE, -_TAIL_BYTES) >= 0 or b'"error"' in block or _last_without_choices(block, len(block)) >= 0:
            return self._inspect(block)
        self.transcript.events += block
        return block

    def whole(self) -> dict[str, Any]:
        """A complete answer as one object. Raises StreamBrokenError when some event of it makes no sense."""
        try:
            return collect(bytes(self.transcript.events), self.usage)
        except ValueError as error:
            raise StreamBrokenError(self.route.backend, "sent an event that is no completion") from error

    async def aclose(self) -> None:
        """Stop the backend, if it still writes."""
        await self._blocks.aclose()

    def _inspect(self, block: bytes) -> bytes:
        """What of a block the client gets; remembers the usage, and ends the answer at `[DONE]`."""
        block, done, _ = block.partition(DONE)
        if b'"error"' in block:
            self._look_for_errors(block)
            block = _NO_ERROR.sub(b"", block)
        block = self._without_usage(block)
        self.transcript.events += block
        return block + self._end() if done else block

    def _look_for_errors(self, block: bytes) -> None:
        for data in payloads(block):
            if b'"error"' in data and self._parsed(data).get("error"):
                raise StreamBrokenError(self.route.backend, "reported an error instead of an answer")

    def _without_usage(self, block: bytes) -> bytes:
        """The block without its events that have no choices, unless the client asked for the usage they tell."""
        at = len(block)
        while (at := _last_without_choices(block, at)) >= 0:
            before = block.rfind(b"\n\n", 0, at)
            start, end = before + 2 if before >= 0 else 0, block.index(b"\n\n", at) + 2
            usage = self._parsed(block[start + len(b"data: ") : end]).get("usage")
            if isinstance(usage, dict):
                self.usage = usage
            if usage is None or not self._include_usage:
                block = block[:start] + block[end:]
            at = start
        return block

    def _parsed(self, data: bytes) -> dict[str, Any]:
        try:
            event = orjson.loads(data)
        except ValueError as error:
            raise StreamBrokenError(self.route.backend, "sent an event that is no JSON") from error
        if not isinstance(event, dict):
            raise StreamBrokenError(self.route.backend, "sent an event that is no object")
        return event

    def _end(self) -> bytes:
        if not self.transcript.finished():
            raise StreamBrokenError(self.route.backend, "ended without a finish_reason")
        self.usage = self.usage or self.transcript.usage()
        self.complete = True
        return DONE
