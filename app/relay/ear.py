"""Hears what an answer says, and what its backend tells of each token, as the events go by."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import orjson

from app.confidence.trace import Trace
from app.domain.sse import encode, payloads

Event = dict[str, Any]

_LAST_PIECES = 256
_NONSENSE = (AttributeError, LookupError, TypeError, ValueError)


class Ear:
    """For one backend; `strips` says that its client did not ask for log-probabilities and must not see any.

    `trace` has no tokens where the backend tells nothing of them. `first` are the words that might have come first,
    with their probabilities. An event that makes no sense passes as it is.
    """

    __slots__ = ("calls", "finish_reason", "first", "pieces", "strips", "trace")

    def __init__(self, *, strips: bool) -> None:
        self.strips = strips
        self.trace = Trace()
        self.pieces: list[str] = []
        self.finish_reason: str | None = None
        self.calls = False
        self.first: list[tuple[str, float]] = []

    @property
    def count(self) -> int:
        """Tokens, as far as can be told."""
        return max(self.trace.count, len(self.pieces))

    def text(self) -> str:
        return "".join(self.pieces)

    def last_words(self) -> str:
        """Of a long answer only the end."""
        return "".join(self.pieces[-_LAST_PIECES:])

    def feed(self, block: bytes) -> bytes:
        """Whole events in; the same events out, without what was not asked for."""
        if not self.strips:
            for data in payloads(block):
                self._hear(data)
            return block
        return b"".join([self._hear(data) for data in payloads(block)])

    def _hear(self, data: bytes) -> bytes:
        if data == b"[DONE]":
            return encode(data)
        try:
            event = _parsed(data)
            told = self._choice(event["choices"][0]) if event.get("choices") else None
        except (*_NONSENSE, RecursionError):  # whether it is an answer is for others to say
            return encode(data)
        return encode(orjson.dumps(event)) if told and self.strips else encode(data)

    def _choice(self, choice: Event) -> bool:
        """Whether there was anything to strip."""
        delta = choice.get("delta") or {}
        text = choice.get("text") or delta.get("content")
        if text and isinstance(text, str):
            self.pieces.append(text)
        self.calls = self.calls or bool(delta.get("tool_calls") or delta.get("function_call"))
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        logprobs = choice.get("logprobs")
        if logprobs:
            try:
                self._tokens(logprobs)
            except (*_NONSENSE, OverflowError):
                self.trace.miss()
        elif text and self.trace.count:
            self.trace.miss()
        if self.strips and "logprobs" in choice:
            del choice["logprobs"]
            return True
        return False

    def _tokens(self, logprobs: Any) -> None:
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
            if not self.trace.count and logprobs["content"]:
                self._keep_first(logprobs["content"][0].get("top_logprobs") or ())
            for token in logprobs["content"]:
                self._token(token.get("logprob"), [each.get("logprob") for each in token.get("top_logprobs") or ()])
        elif isinstance(logprobs, dict) and isinstance(logprobs.get("token_logprobs"), list):
            tops = logprobs.get("top_logprobs") or ()
            for place, logprob in enumerate(logprobs["token_logprobs"]):
                top = tops[place] if place < len(tops) else None
                known = [each for each in (top or {}).values() if isinstance(each, float | int)]
                self._token(logprob, sorted(known, reverse=True))
        else:
            self.trace.miss()

    def _keep_first(self, top: Iterable[Any]) -> None:
        told = [(each.get("token"), each.get("logprob")) for each in top]
        self.first = [(word, math.exp(logprob)) for word, logprob in told if _is_share(logprob)]

    def _token(self, logprob: Any, top: Iterable[Any]) -> None:
        try:
            self.trace.add(logprob, list(top))
        except (TypeError, ValueError, OverflowError):
            self.trace.miss()


def _parsed(data: bytes) -> Any:
    """Servers in Python write NaN and -Infinity among their log-probabilities; null, then.

    Raises ValueError, TypeError or RecursionError for what is no event.
    """
    try:
        return orjson.loads(data)
    except ValueError:
        if b"NaN" not in data and b"Infinity" not in data:
            raise
        return orjson.loads(orjson.dumps(json.loads(data)))


def _is_share(logprob: Any) -> bool:
    return isinstance(logprob, float | int) and logprob <= 0
