"""One answer on its way: blocks of events that are fit for the client, and the proof that it is complete."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson

from app.domain.decision import Route
from app.domain.errors import StreamBrokenError
from app.domain.sse import DONE, encode, payloads
from app.relay.transcript import Transcript
from app.relay.watch import Watch


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

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """Blocks of whole events, `data: [DONE]` last. Raises StreamBrokenError or BackendTimeoutError."""
        yield self.first
        while not self.complete:
            if block := await self.next():
                yield block

    async def next(self) -> bytes:
        """The next block, empty when nothing of it is for the client."""
        block = await self.watch.guard(anext(self._blocks, b""))
        if not block:
            return self._end()
        if b'"error"' in block or b'"choices":[]' in block or b'"choices": []' in block or block.endswith(DONE):
            return self._inspect(block)
        self.transcript.blocks.append(block)
        return block

    async def aclose(self) -> None:
        """Stop the backend, if it still writes."""
        await self._blocks.aclose()

    def _inspect(self, block: bytes) -> bytes:
        """What of a block the client gets; remembers the usage, and ends the answer at `[DONE]`."""
        kept, done = [], False
        for data in payloads(block):
            done = data == b"[DONE]"
            if done:
                break
            if self._is_for_client(data):
                kept.append(encode(data))
        block = b"".join(kept)
        self.transcript.blocks.append(block)
        return block + self._end() if done else block

    def _is_for_client(self, data: bytes) -> bool:
        if b'"error"' not in data and b'"choices":[]' not in data and b'"choices": []' not in data:
            return True
        event = self._parsed(data)
        if event.get("error"):
            raise StreamBrokenError(self.route.backend, "reported an error instead of an answer")
        if event.get("choices") or "choices" not in event:
            return True
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.usage = usage
            return self._include_usage
        return False

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
