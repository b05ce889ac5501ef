"""The events of /v1/completions as those of a chat: an answer that was begun as one is gone on with by its tokens."""

from __future__ import annotations

from typing import Any

import orjson

from app.domain.sse import DONE, encode, payloads


class AfterSurplus:
    """Completion events with a text before the first of them that no event has said."""

    __slots__ = ("_surplus",)

    def __init__(self, surplus: str) -> None:
        self._surplus = surplus

    def feed(self, block: bytes) -> bytes:
        """Raises ValueError for an event that is none."""
        if not self._surplus:
            return block
        event: Any = orjson.loads(payloads(block)[0])
        if not isinstance(event, dict) or not event.get("choices"):
            return block  # an error: nothing begins
        head = {key: value for key, value in event.items() if key not in ("usage", "timings")}
        choice = {"text": self._surplus, "index": 0, "logprobs": None, "finish_reason": None}
        self._surplus = ""
        return encode(orjson.dumps({**head, "choices": [choice]})) + block


class AsChat:
    """Without the `role` of a first event: the answer has begun already."""

    __slots__ = ()

    def feed(self, block: bytes) -> bytes:
        """Raises ValueError for an event that is none."""
        return b"".join(map(_event, payloads(block)))


def _event(data: bytes) -> bytes:
    if data == b"[DONE]":
        return DONE
    event: Any = orjson.loads(data)
    if not isinstance(event, dict):
        raise ValueError("sent an event that is no object")
    if "choices" not in event:
        return encode(data)
    choices = [_choice(choice) for choice in event["choices"]]
    return encode(orjson.dumps({**event, "object": "chat.completion.chunk", "choices": choices}))


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in choice.items() if key != "text"}
    return {**kept, "delta": {"content": choice["text"]} if choice.get("text") else {}}
