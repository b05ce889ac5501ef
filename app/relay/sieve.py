"""What of the events of an answer its client gets, and whether they prove that it is complete."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from app.domain.errors import StreamBrokenError
from app.domain.sse import DONE, encode, payloads

_MARKS = (
    *(b'"finish_reason":"', b'"finish_reason": "', b'"role"', b'"error"'),
    *(b'"choices":[]', b'"choices": []', b"data: [DONE]"),
)

Event = dict[str, Any]


class Sieve:
    """For all backends of an answer, one after the other; `backend` names the one that writes now.

    Left out are the usage event, unless it is wanted, a second role, `"error": null`, and whatever comes after the
    finish_reason. `spoken` says that the client has been given a role; `single` that there is one choice only.
    """

    __slots__ = ("_include_usage", "_single", "backend", "bad", "ended", "finished", "proven", "spoken", "usage")

    def __init__(self, backend: str, *, include_usage: bool, single: bool) -> None:
        self.backend = backend
        self.usage: Event | None = None
        self.spoken = self.finished = self.proven = self.ended = False
        self.bad: StreamBrokenError | None = None
        self._include_usage = include_usage
        self._single = single

    def feed(self, block: bytes) -> bytes:
        """The block up to its first bad event; that one's error is `bad` then, or raised where nothing came before it.

        Raises StreamBrokenError.
        """
        whole = block.count(b"}\n\n")
        if not self.finished and whole == block.count(b"\n\n") and not _remarkable(block):
            return block
        plain = not self.finished and whole + block.endswith(DONE) == block.count(b"\n\n")
        kept: list[bytes] = []
        try:
            start = self._skimmed(block, kept) if plain else 0
            kept.extend(self._event(data) for data in payloads(block[start:]) if not self.ended)
        except StreamBrokenError as error:
            if not any(kept):
                raise
            self.bad = error
        return b"".join(kept)

    def _skimmed(self, block: bytes, kept: list[bytes]) -> int:
        """Keep what needs no look as it is, up to the finish_reason; where the rest begins."""
        start, places = 0, [block.find(mark) for mark in _MARKS]
        while not self.finished and (at := _first(places)) >= 0:
            before, end = block.rfind(b"\n\n", start, at), block.index(b"\n\n", at) + 2
            begin = start if before < 0 else before + 2
            kept.append(block[start:begin])
            start = begin
            kept.extend(map(self._event, payloads(block[begin:end])))
            start = end
            found = zip(_MARKS, places, strict=True)
            places = [block.find(mark, start) if 0 <= place < start else place for mark, place in found]
        if not self.finished:
            kept.append(block[start:])
            start = len(block)
        return start

    def end(self) -> bytes:
        """The last words. Raises StreamBrokenError when they can't be: there was no finish_reason."""
        if not self.proven:
            raise self._broken("ended without a finish_reason")
        self.ended = True
        return DONE

    def _event(self, data: bytes) -> bytes:
        if data == b"[DONE]":
            return self.end()
        if not self.finished and data.endswith(b"}") and not _remarkable(data):
            return encode(data)
        event = self._parsed(data)
        if event.get("error"):
            raise self._broken("reported an error instead of an answer")
        changed = "error" in event
        event.pop("error", None)  # some servers say that there is none; to some SDKs that is one
        choices = event.get("choices")
        if choices == []:
            wanted = self._is_usage_wanted(event)
        elif isinstance(choices, list) and choices and isinstance(choices[0], dict):
            changed |= self._without_second_role(choices[0])
            wanted = not self.finished and not (changed and choices[0].get("delta") == {} and _goes_on(choices[0]))
            self._note_end(choices[0])
        else:
            wanted = True
        if not wanted:
            return b""
        return encode(orjson.dumps(event)) if changed else encode(data)

    def _is_usage_wanted(self, event: Event) -> bool:
        usage = event.get("usage")
        if isinstance(usage, dict):
            self.usage = usage
        return usage is not None and self._include_usage

    def _note_end(self, choice: Event) -> None:
        if not _goes_on(choice):
            self.proven = True
            self.finished = self._single

    def _without_second_role(self, choice: Event) -> bool:
        """Whether there was one."""
        delta = choice.get("delta")
        if not (self._single and self.spoken and isinstance(delta, dict) and "role" in delta):
            return False
        del delta["role"]
        if not delta.get("content") and len(delta) == 1:
            delta.clear()
        return True

    def _parsed(self, data: bytes) -> Event:
        try:
            event = orjson.loads(data)
        except ValueError as error:
            raise self._broken("sent an event that is no JSON") from error
        if not isinstance(event, dict):
            raise self._broken("sent an event that is no object")
        return event

    def _broken(self, how: str) -> StreamBrokenError:
        return StreamBrokenError(self.backend, how)


def _goes_on(choice: Event) -> bool:
    return not choice.get("finish_reason")


def _remarkable(events: bytes) -> bool:
    """Whether something needs a closer look; in a string of JSON the quotes would be escaped.

    Every block is searched for the marks: written out, that takes half the time.
    """
    return (
        b'"finish_reason":"' in events
        or b'"role"' in events
        or b'"error"' in events
        or b'"choices":[]' in events
        or b'"finish_reason": "' in events
        or b'"choices": []' in events
    )


def _first(places: Iterable[int]) -> int:
    """The first place, -1 when nothing was found anywhere."""
    return min((place for place in places if place >= 0), default=-1)
