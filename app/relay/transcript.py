"""What the client has been sent so far, kept as it came: parsed only when somebody needs to know."""

from __future__ import annotations

import re
from typing import Any

import orjson

from app.domain.sse import encode, payloads

_FINISHED = re.compile(rb'"finish_reason":\s*"')
_ROLE = b'"role"'


class Transcript:
    """Blocks of whole events, in order."""

    __slots__ = ("blocks",)

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def finished(self) -> bool:
        """Whether a finish_reason has come: without one an answer is not complete, whatever else was said."""
        return any(_FINISHED.search(block) for block in reversed(self.blocks))

    def usage(self) -> dict[str, Any] | None:
        """The usage that came with the last words, as some servers send it; None when there was none."""
        for block in self.blocks[-2:]:
            for data in payloads(block) if b'"usage"' in block else ():
                usage = orjson.loads(data).get("usage")
                if isinstance(usage, dict):
                    return usage
        return None


def with_role(block: bytes) -> bytes:
    """The first block of a chat answer, with a role at its head.

    Every first chunk has one by the API, but llama.cpp leaves it out when the answer begins in the middle of a
    character that takes several tokens (an emoji, say).
    """
    if _ROLE in block:
        return block
    head = orjson.loads(payloads(block)[0])
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    return encode(orjson.dumps({**head, "choices": [choice]})) + block
