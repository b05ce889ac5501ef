"""What the next backend of an answer writes, as the client may read it who has the beginning from another."""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from app.domain.sse import DONE, encode, payloads
from app.domain.stops import Stops
from app.relay.transcript import HEAD, Written

_THOUGHTS = ("reasoning_content", "reasoning")

Event = dict[str, Any]


class SeamRefusedError(ValueError):
    """This backend does not go on where it should: what it writes would lose, double or change something."""


class Opening(Protocol):
    """Finds in what a backend writes the place where it goes on. Both methods raise SeamRefusedError."""

    def feed(self, text: str) -> str:
        """Text as it comes in, what of it is new out."""

    def rest(self) -> str:
        """What was held back, when nothing more comes."""


class Seam:
    """Blocks of whole events of the next backend in, blocks that go on with what the client has out.

    One head, one role, one finish_reason; stop strings that span the seam; `tokens_written` counted as completion and
    not as prompt. Log-probabilities that no longer fit their text are null. `cached_tokens` is what the backend says
    it did not have to read, None while it has not said. `ended` means that `[DONE]` is out: nothing follows it.
    """

    def __init__(self, written: Written, stops: tuple[str, ...], tokens_written: int, opening: Opening | None) -> None:
        self.ended = False
        self.cached_tokens: int | None = None
        self._head = written.head
        self._finished = written.finished
        self._has_text = bool(written.text)
        self._tokens = tokens_written
        self._opening = opening
        self._stops = Stops(stops, written.text)
        self._shift = len(written.text)  # from a place in this backend's text to the same place in the client's

    def feed(self, block: bytes) -> bytes:
        """The events of the block that are for the client; an error event passes as it is.

        Raises SeamRefusedError, ValueError for an event that is none of an answer.
        """
        try:
            return b"".join([self._event(data) for data in payloads(block)])
        except (AttributeError, LookupError, TypeError) as error:  # something is not of the type that the API says
            raise ValueError("an event is none of an answer") from error

    def _event(self, data: bytes) -> bytes:
        if self.ended:
            return b""
        if data == b"[DONE]":
            self.ended = True
            return DONE
        event = orjson.loads(data)
        if event.get("error"):
            return encode(data)
        choices = [] if self._finished else event.get("choices") or []
        says_something = bool(choices) and self._choose(choices)
        usage = event.get("usage")
        if usage:
            event["usage"] = self._usage_of_all(usage)
        elif not says_something:
            return b""
        if self._head:
            for key in HEAD:
                event.pop(key, None)
        block = encode(orjson.dumps({**self._head, **event, "choices": choices}))
        self.ended = self._stops.hit
        return block + DONE if self.ended else block

    def _choose(self, choices: list[Event]) -> bool:
        """Make the event's choice what the client may read; whether that is anything at all."""
        choice = choices[0]
        if len(choices) > 1 or choice.get("index", 0) != 0:
            raise SeamRefusedError("writes several choices")
        saying, key = (choice, "text") if "text" in choice else (choice.setdefault("delta", {}), "content")
        if self._head:
            saying.pop("role", None)
        thoughts = [saying.pop(name, None) for name in _THOUGHTS] if self._has_text else ()
        text = saying.get(key) or ""
        passed = self._passed(text, last=bool(choice.get("finish_reason")))
        if self._stops.hit:
            choice["finish_reason"] = "stop"
        self._finished = bool(choice.get("finish_reason"))
        logprobs = choice.get("logprobs")
        if passed != text:
            saying[key] = passed
            self._shift += len(passed) - len(text)
        if logprobs and (passed != text or any(thoughts)):
            choice["logprobs"] = None
        elif logprobs and logprobs.get("text_offset"):
            logprobs["text_offset"] = [offset + self._shift for offset in logprobs["text_offset"]]
        return bool(passed) or _says_something(choice)

    def _passed(self, text: str, *, last: bool) -> str:
        if self._opening is not None:
            text = self._opening.feed(text)
            if last:
                text += self._opening.rest()
        text = self._stops.feed(text)
        return text + self._stops.rest() if last else text

    def _usage_of_all(self, usage: Event) -> Event:
        """Of the whole answer: what was written before was read by this backend, but written for the client."""
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        self.cached_tokens = self.cached_tokens if cached is None else cached
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if prompt is None or completion is None:
            return usage
        moved = min(self._tokens, prompt)
        return {**usage, "prompt_tokens": prompt - moved, "completion_tokens": completion + moved}


def _says_something(choice: Event) -> bool:
    said = (choice.get("finish_reason"), *choice.get("delta", {}).values(), *(choice.get("logprobs") or {}).values())
    return any(said)
