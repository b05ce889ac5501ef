"""A whole JSON answer, told as the stream it could have been."""

from __future__ import annotations

from typing import Any

import orjson

from app.domain.errors import BackendRefusedError
from app.domain.sse import DONE, encode


def as_events(backend: str, answer: Any) -> bytes:
    """A `chat.completion` or `text_completion` object as events: one for the choices, one for the usage, the end.

    Raises BackendRefusedError for an object that is neither (an error with status 200, for one).
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("choices"), list) or not answer["choices"]:
        raise BackendRefusedError(backend, "answered with JSON that is no completion")
    head = {key: value for key, value in answer.items() if key not in ("choices", "usage")}
    if head.get("object") == "chat.completion":
        head["object"] = "chat.completion.chunk"
    choices = [_delta(choice) for choice in answer["choices"] if isinstance(choice, dict)]
    events = [{**head, "choices": choices}]
    if isinstance(answer.get("usage"), dict):
        events.append({**head, "choices": [], "usage": answer["usage"]})
    return b"".join(encode(orjson.dumps(event)) for event in events) + DONE


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    if not isinstance(message, dict):
        return choice
    given = message.get("tool_calls")
    calls = [call for call in given if isinstance(call, dict)] if isinstance(given, list) else []
    numbered = [{**call, "index": index} for index, call in enumerate(calls)]
    delta = {**message, "tool_calls": numbered} if numbered else message
    return {**{key: value for key, value in choice.items() if key != "message"}, "delta": delta}
