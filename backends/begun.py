"""What is written of an answer, as the beginning of the assistant's own turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.errors import JobRejectedError
from app.domain.handoff import Begun


def continued(backend: str, body: Mapping[str, Any], begun: Begun, **marks: Any) -> Mapping[str, Any]:
    """The body of a chat with the text as its last turn; as it came where nothing is written yet.

    What the caller itself had the assistant begin with stays before the text. `marks` are set on that turn. Raises
    JobRejectedError as `check_no_thought` does.
    """
    check_no_thought(backend, begun)
    if not begun.text:
        return body
    *before, last = body["messages"]
    if last.get("role") != "assistant" or last.get("tool_calls"):
        before, last = [*before, last], {"role": "assistant"}
    given = last.get("content")
    return {**body, "messages": [*before, {**last, "content": _longer(given, begun.text), **marks}]}


def _longer(given: Any, text: str) -> Any:
    """In one part: some servers put line feeds between two."""
    if not isinstance(given, list):
        return (given or "") + text
    if not given or given[-1].get("type") != "text":
        return [*given, {"type": "text", "text": text}]
    return [*given[:-1], {**given[-1], "text": given[-1]["text"] + text}]


def check_no_thought(backend: str, begun: Begun) -> None:
    """Raises JobRejectedError for an answer that is still thinking: no text can be the beginning of that."""
    if begun.reasoning and not begun.text:
        raise JobRejectedError(backend, 400, "an answer can't be gone on with in the middle of a thought")
