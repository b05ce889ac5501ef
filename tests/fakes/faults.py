"""What can go wrong with a streamed answer, its parts given: one function a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.fakes.answers import CLOSE, RESET, Answer, Cut, Json, Silence, Stream

DONE = b"data: [DONE]\n\n"


class Gate(asyncio.Event):
    """Something to wait for that tells when somebody does."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self) -> Literal[True]:
        self.reached.set()
        return await super().wait()


@dataclass(frozen=True)
class Said:
    """A streamed answer in its parts, as they go on the wire; a text has no `role`."""

    role: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    finish: bytes
    usage: tuple[bytes, ...]

    def begun(self, tokens: int) -> list[bytes]:
        return [*self.role, *self.tokens[:tokens]]

    def rest(self, tokens: int) -> list[bytes]:
        return [*self.tokens[tokens:], self.finish, *self.usage, DONE]

    def whole(self) -> list[bytes]:
        return [*self.begun(0), *self.rest(0)]


Fault = Callable[[Said], Answer]


def cut_at_once(said: Said) -> Answer:
    """The head, and not one event."""
    return Stream([RESET])


def cut(tokens: int, how: Cut = RESET) -> Fault:
    """So many tokens, and the connection is lost; 0 is after the role."""
    return lambda said: Stream([*said.begun(tokens), how], apart=True)


def cut_after_the_finish(said: Said) -> Answer:
    return Stream([*said.begun(len(said.tokens)), said.finish, RESET], apart=True)


def cut_in_a_character(tokens: int) -> Fault:
    """The event after so many tokens ends in the middle of its first character that is no ASCII."""

    def fault(said: Said) -> Answer:
        half = said.tokens[tokens]
        middle = next(place for place, byte in enumerate(half) if byte > 127) + 1
        return Stream([*said.begun(tokens), half[:middle], CLOSE], apart=True)

    return fault


def silent(tokens: int, until: asyncio.Event) -> Fault:
    """So many tokens, then nothing until the event."""
    return lambda said: Stream([*said.begun(tokens), until, *said.rest(tokens)], apart=True)


def late(until: asyncio.Event) -> Fault:
    """The head, then nothing until the event."""
    return lambda said: Stream([until, *said.whole()])


def mute(until: asyncio.Event) -> Fault:
    """Not even a head until the event."""
    return lambda said: Silence(until, Stream(said.whole()))


def ends(tokens: int, *, with_done: bool) -> Fault:
    """So many tokens, and then the proper end of a stream, but no finish_reason."""
    return lambda said: Stream([*said.begun(tokens), *([DONE] if with_done else [])], apart=True)


def garbled(tokens: int, garbage: bytes) -> Fault:
    """So many tokens, then these bytes, then the others."""
    return lambda said: Stream([*said.begun(tokens), garbage, *said.rest(tokens)], apart=True)


def second_role(tokens: int) -> Fault:
    return lambda said: Stream([*said.begun(tokens), *said.role, *said.rest(tokens)], apart=True)


def no_usage(said: Said) -> Answer:
    return Stream([*said.begun(len(said.tokens)), said.finish, DONE], apart=True)


def text_after_the_finish(said: Said) -> Answer:
    return Stream([*said.begun(len(said.tokens)), said.finish, said.tokens[1], *said.usage, DONE], apart=True)


def byte_by_byte(said: Said) -> Answer:
    """Each byte in a segment of its own."""
    return Stream([bytes([byte]) for byte in b"".join(said.whole())], apart=True)


def in_pieces(tokens: int, sizes: Sequence[int]) -> Fault:
    """What comes before the cut, in pieces of these sizes, over and over, wherever they fall."""

    def fault(said: Said) -> Answer:
        left, pieces = b"".join(said.begun(tokens)), list[bytes | Cut]()
        while left:
            size = sizes[len(pieces) % len(sizes)]
            pieces.append(left[:size])
            left = left[size:]
        return Stream([*pieces, RESET], apart=True)

    return fault


def refused(status: int) -> Fault:
    error = {"error": {"message": "no", "type": "invalid_request_error", "code": None}}
    return lambda _: Json(error, status)
