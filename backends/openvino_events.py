"""The lines of the OpenVINO worker as events of the official API: role first, one finish, usage, the end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.domain.sse import DONE, encode
from app.domain.stops import Stops

Choice = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """How one of the two APIs writes a piece of text."""

    prefix: str
    name: str
    choice: Callable[[str], Choice]
    first: tuple[Choice, ...] = ()


def _chat(text: str) -> Choice:
    return {"delta": {"content": text} if text else {}}


def _completion(text: str) -> Choice:
    return {"text": text}


_ROLE: Choice = {
    "index": 0,
    "delta": {"role": "assistant", "content": ""},
    "logprobs": None,
    "finish_reason": None,
}
CHAT = Shape("chatcmpl-", "chat.completion.chunk", _chat, (_ROLE,))
COMPLETION = Shape("cmpl-", "text_completion", _completion)


class Events:
    """One answer: worker lines in, blocks of events out."""

    def __init__(self, shape: Shape, model: str, stops: tuple[str, ...] = ()) -> None:
        self.ended = False
        self._shape = shape
        self._stops = Stops(stops)
        self._head = {
            "id": shape.prefix + secrets.token_hex(12),
            "object": shape.name,
            "created": int(time.time()),
            "model": model,
        }
        self._first = shape.first
        self._prompt_tokens = self._tokens = 0
        self._received = self._released = 0  # characters
        self._waiting: list[tuple[int, Choice]] = []  # log probabilities, by where in the text they end

    def block(self, line: Mapping[str, Any]) -> bytes:
        """The events that this line makes; empty when there is nothing to tell yet."""
        self._tokens += line.get("tokens", 0)
        self._prompt_tokens = line.get("prompt_tokens", self._prompt_tokens)
        for token, logprob in line.get("logprobs", ()):
            self._received += len(token)
            self._waiting.append((self._received, _entry(token, logprob)))
        text = self._stops.feed(line.get("text", ""))
        end = "stop" if self._stops.hit else line.get("end")
        if end:
            text += self._stops.rest()
        choices = [*self._first, *self._choices(text, end)]
        self._first = ()
        block = b"".join(self._event([choice]) for choice in choices)
        return block + self._end() if end else block

    def _choices(self, text: str, end: str | None) -> list[Choice]:
        self._released += len(text)
        entries = self._entries()
        content = {"content": entries, "refusal": None} if entries else None
        choices = []
        if text or entries:
            choices.append(self._choice(text, content, None))
        if end:
            choices.append(self._choice("", None, end))
            self.ended = True
        return choices

    def _choice(self, text: str, logprobs: Choice | None, finish: str | None) -> Choice:
        return {"index": 0, **self._shape.choice(text), "logprobs": logprobs, "finish_reason": finish}

    def _entries(self) -> list[Choice]:
        """The log probabilities of the text that is out."""
        out = [entry for place, entry in self._waiting if place <= self._released]
        del self._waiting[: len(out)]
        return out

    def _event(self, choices: list[Choice], **more: Any) -> bytes:
        return encode(orjson.dumps({**self._head, "choices": choices, **more}))

    def _end(self) -> bytes:
        usage = {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": self._tokens,
            "total_tokens": self._prompt_tokens + self._tokens,
        }
        return self._event([], usage=usage) + DONE


def _entry(token: str, logprob: float) -> Choice:
    """OpenVINO tells the chosen token's only. A token that does not complete a character has no text."""
    data = list(token.encode()) if token else None
    return {"token": token, "logprob": logprob, "bytes": data, "top_logprobs": []}
