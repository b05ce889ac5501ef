"""What the client has been sent so far, kept as it came: parsed only when somebody needs to know."""

from __future__ import annotations

from typing import Any

import orjson

from app.domain.sse import encode, payloads

_ROLE = b'"role"'
_LAST_WORDS_BYTES = 8192


class Transcript:
    """Whole events, in order, in one growing piece of memory: a long answer leaves no rubble when it goes."""

    __slots__ = ("events",)

    def __init__(self) -> None:
        self.events = bytearray()

    def finished(self) -> bool:
        """Whether a finish_reason has come: without one an answer is not complete, whatever else was said."""
        events = self.events
        return events.rfind(b'"finish_reason":"') >= 0 or events.rfind(b'"finish_reason": "') >= 0

    def usage(self) -> dict[str, Any] | None:
        """The usage that came with the last words, as some servers send it; None when there was none."""
        for data in reversed(payloads(bytes(self.events[-_LAST_WORDS_BYTES:]))):
            event = _parsed(data) if b'"usage"' in data else None
            if isinstance(event, dict) and isinstance(event.get("usage"), dict):
                return dict(event["usage"])
        return None


def with_role(block: bytes) -> bytes:
    """The first block of a chat answer, with a role at its head.

    Every first chunk has one by the API, but llama.cpp leaves it out when the answer begins in the middle of a
    character that takes several tokens (an emoji, say). Raises ValueError for an event that is no object.
    """
    if _ROLE in block:
        return block
    head = _parsed(payloads(block)[0])
    if not isinstance(head, dict):
        raise ValueError("an event is no object")
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    return encode(orjson.dumps({**head, "choices": [choice]})) + block


def _parsed(data: bytes) -> Any:
    """None for what is no JSON."""
    try:
        return orjson.loads(data)
    except ValueError:
        return None
