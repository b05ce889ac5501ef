"""What llama.cpp's events lack to be OpenAI's: one `created`, whole `logprobs`, usage in an event of its own."""

from __future__ import annotations

import re
from typing import Any

import orjson

from app.domain.sse import DONE, encode, payloads
from backends.legacy import legacy_logprobs

_CREATED = re.compile(rb'"created":\d+')


class OneCreated:
    """The same events, with one `created` (llama.cpp takes the time anew for each) and complete `logprobs`."""

    __slots__ = ("_pinned",)

    def __init__(self) -> None:
        self._pinned = b""

    def feed(self, block: bytes) -> bytes:
        if not self._pinned:
            found = _CREATED.search(block)
            self._pinned = found[0] if found else b""
        if block.count(self._pinned) != block.count(b'"created":'):
            block = _CREATED.sub(self._pinned, block)
        return block.replace(b'"logprobs":{"content":', b'"logprobs":{"refusal":null,"content":')


class Legacy:
    """The completion events with usage in one of its own, and `logprobs` as the old API has them where it is wanted.

    `offset` is how many characters of the completion came before.
    """

    __slots__ = ("_logprobs", "_offset")

    def __init__(self, *, logprobs: bool, offset: int = 0) -> None:
        self._logprobs = logprobs
        self._offset = offset

    def feed(self, block: bytes) -> bytes:
        """Raises ValueError for an event that is none."""
        if not self._logprobs and b'"usage":{' not in block:
            return block
        return b"".join(self._event(data) for data in payloads(block))

    def _event(self, data: bytes) -> bytes:
        """The event in the old shape: two of them, when it has usage."""
        if data == b"[DONE]":
            return DONE
        event: Any = orjson.loads(data)
        if not isinstance(event, dict):
            raise ValueError("sent an event that is no object")
        usage = event.pop("usage", None)
        choices = [choice for choice in event.get("choices") or () if isinstance(choice, dict)]
        for choice in choices:
            if self._logprobs and isinstance(choice.get("logprobs"), dict):
                choice["logprobs"] = legacy_logprobs(choice["logprobs"].get("content") or [], self._offset)
            self._offset += len(choice.get("text") or "")
        events = [event] if choices or not usage else []
        if usage:
            events.append({**event, "choices": [], "usage": usage})
        return b"".join(encode(orjson.dumps(each)) for each in events)
