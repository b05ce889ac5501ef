"""What the client has been sent so far, kept as it came: parsed only when somebody needs to know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from app.domain.sse import encode, payloads

#: What every event of an answer says alike.
HEAD = ("id", "object", "created", "model", "system_fingerprint")

_ROLE = b'"role"'
_LAST_WORDS_BYTES = 8192

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What the events say: the first choice alone, since answers with several don't move.

    `pieces` is how many events had text or reasoning: the best count of tokens there is. `calls` means that a tool call
    has begun, `in_reasoning` that nothing but reasoning has come. `head` is what of HEAD the first event has.
    """

    text: str
    reasoning: str
    pieces: int
    calls: bool
    in_reasoning: bool
    head: Event
    finished: bool


class Transcript:
    """Whole events, in order, in one growing piece of memory: a long answer leaves no rubble when it goes."""

    __slots__ = ("events",)

    def __init__(self) -> None:
        self.events = bytearray()

    def usage(self) -> dict[str, Any] | None:
        """The usage that came with the last words, as some servers send it; None when there was none."""
        for data in reversed(payloads(bytes(self.events[-_LAST_WORDS_BYTES:]))):
            event = _parsed(data) if b'"usage"' in data else None
            if isinstance(event, dict) and isinstance(event.get("usage"), dict):
                return dict(event["usage"])
        return None

    def written(self) -> Written:
        """All of it, parsed now. Raises ValueError when some event is none of an answer."""
        try:
            return _written(orjson.loads(data) for data in payloads(bytes(self.events)))
        except (AttributeError, TypeError) as error:  # something is not of the type that the API says
            raise ValueError("an event is none of an answer") from error


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


def _written(events: Iterable[Event]) -> Written:
    head: Event = {}
    texts: list[str] = []
    thoughts: list[str] = []
    pieces = 0
    calls = finished = False
    for event in events:
        head = head or {key: event[key] for key in HEAD if key in event}
        for choice in event.get("choices") or ():
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {}
            texts.append(choice.get("text") or delta.get("content") or "")
            thoughts.append(delta.get("reasoning_content") or delta.get("reasoning") or "")
            pieces += bool(texts[-1] or thoughts[-1])
            calls = calls or bool(delta.get("tool_calls") or delta.get("function_call"))
            finished = finished or bool(choice.get("finish_reason"))
    text, reasoning = "".join(texts), "".join(thoughts)
    return Written(text, reasoning, pieces, calls, bool(reasoning) and not text, head, finished)


def _parsed(data: bytes) -> Any:
    """None for what is no JSON."""
    try:
        return orjson.loads(data)
    except ValueError:
        return None
