"""What a model without tools of its own writes when it calls one, told as OpenAI's tool calls."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Any

import orjson

from app.domain.sse import DONE, encode, payloads

_OPENING = "<tool_call>"
_WRITTEN = re.compile(r"<tool_call>(.*?)(?:</tool_call>|(?=<tool_call>)|$)", re.DOTALL)
_HEAD = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*(?=\S)')
_BUT_THE_LAST_BRACE = re.compile(r"(.*?)(\s*(?:\}\s*)?)$", re.DOTALL)

Event = dict[str, Any]


class _Calls:
    """Events with whatever `_said` and `_ended` make of a choice's words."""

    def feed(self, block: bytes) -> bytes:
        """Raises ValueError for an event that is none."""
        return b"".join(self._event(data) for data in payloads(block))

    def _event(self, data: bytes) -> bytes:
        if data == b"[DONE]":
            return DONE
        event: Any = orjson.loads(data)
        choices = event.get("choices") if isinstance(event, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0].get("delta"), dict):
            return encode(data)
        choice, delta = choices[0], choices[0]["delta"]
        delta.update(self._said(delta.pop("content", None) or ""))
        if choice.get("finish_reason"):
            delta.update(self._ended(choice))
        return encode(orjson.dumps(event)) if delta or choice.get("finish_reason") else b""

    def _said(self, piece: str) -> Event:
        raise NotImplementedError

    def _ended(self, choice: Event) -> Event:
        raise NotImplementedError


class RequiredCall(_Calls):
    """The answer is one JSON object by its schema: `name`, then `arguments`, told while they are written."""

    def __init__(self) -> None:
        self._held = ""
        self._named = False

    def _said(self, piece: str) -> Event:
        self._held += piece
        function: Event = {}
        if not self._named:
            head = _HEAD.match(self._held)
            if head is None:
                return {}
            self._named, self._held = True, self._held[head.end() :]
            function = {"name": orjson.loads(head[1])}
        whole = _BUT_THE_LAST_BRACE.match(self._held)
        function["arguments"], self._held = (whole[1], whole[2]) if whole else ("", self._held)
        if "name" in function:
            return {"content": None, "tool_calls": [{"index": 0, **_call(function)}]}
        return _more(function["arguments"])

    def _ended(self, choice: Event) -> Event:
        if choice["finish_reason"] == "stop" and self._named:
            choice["finish_reason"] = "tool_calls"
            return {}
        return _more(self._held) if self._named else {}


class PossibleCalls(_Calls):
    """Plain words go on as they come; an answer that begins with a call is read at its end."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._held = ""
        self._plain = False

    def _said(self, piece: str) -> Event:
        if not self._plain:
            self._held += piece
            begun = self._held.lstrip()[: len(_OPENING)]
            self._plain = not _OPENING.startswith(begun)
            if not self._plain:
                return {}
            piece, self._held = self._held, ""
        return {"content": piece} if piece else {}

    def _ended(self, choice: Event) -> Event:
        if self._plain or not self._held:
            return {}
        calls = [self._read(written) for written in _WRITTEN.findall(self._held)]
        if not calls or None in calls:
            return {"content": self._held}
        choice["finish_reason"] = "tool_calls"
        return {"content": None, "tool_calls": [{"index": place, **call} for place, call in enumerate(calls) if call]}

    def _read(self, written: str) -> Event | None:
        """The call that is written there, None for one that can't be read or names no tool."""
        try:
            call = orjson.loads(written)
        except ValueError:
            return None
        if not isinstance(call, dict) or call.get("name") not in self._names:
            return None
        return _call({"name": call["name"], "arguments": orjson.dumps(call.get("arguments") or {}).decode()})


def _call(function: Event) -> Event:
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}


def _more(arguments: str) -> Event:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]} if arguments else {}
