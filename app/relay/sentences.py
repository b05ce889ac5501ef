"""Where in a row of events the last whole sentence ends."""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

from app.domain.sse import payloads

_END = re.compile(r"[.!?…。！？]['\")\]”’»]*\s*$|\n\s*$")  # noqa: RUF001


def whole_sentences(events: Sequence[bytes]) -> int:
    """How many of the events, each one of an answer, make whole sentences; 0 when not even one ends in them."""
    text, whole = "", 0
    for count, event in enumerate(events, start=1):
        piece = _text(event)
        text = (text + piece)[-16:]
        if piece and _END.search(text):
            whole = count
    return whole


def _text(event: bytes) -> str:
    try:
        choice = orjson.loads(payloads(event)[0])["choices"][0]
        return str(choice.get("text") or (choice.get("delta") or {}).get("content") or "")
    except (ValueError, LookupError, AttributeError, TypeError):  # no text, then
        return ""
