"""A running answer moves from one backend to another: why, how, and what is carried over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Reason(StrEnum):
    """Why an answer leaves the backend that writes it."""

    HEAT = "heat"
    FAULT = "fault"
    DOUBT = "doubt"


class Continuation(StrEnum):
    """How the next backend goes on, the best first."""

    KV = "kv"
    TOKENS = "tokens"
    PREFILL = "prefill"
    ANCHOR = "anchor"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Begun:
    """What has been written of an answer, for another backend to go on with.

    `text` is exactly what the client has, `reasoning` what it was shown of the model's thoughts. `written` is how many
    tokens all of that took. `tokens` are the ids of prompt and answer together, where they are known to the last one;
    then `surplus` is what they say beyond `text`: the stream that goes on begins with it.
    """

    text: str
    reasoning: str = ""
    written: int = 0
    tokens: tuple[int, ...] | None = None
    surplus: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of an answer's model, as its server left it in a file; whoever got it deletes that.

    `state_kind` is of the server that it is from: one with an equal one can take it. `begun` has tokens where these
    alone say how to go on. `release` is told that the file is gone; calling it twice must do no harm.
    """

    file: Path
    state_kind: str
    begun: Begun
    size_bytes: int
    release: Callable[[], None] = lambda: None

    def delete(self) -> None:
        """May be called twice."""
        self.file.unlink(missing_ok=True)
        self.release()


@dataclass(slots=True)
class Handoff:
    """One move of one answer, for the record: filled in as it happens; None is unknown, or not yet known.

    `at_tokens` and `at_chars` say how much was written when it left. `prepared` means that the target was ready before
    the source stopped. `stall_seconds` is from the moment when the source was stopped, or failed, to the first piece
    from the target. `cache_reused_tokens` is what the target did not have to read again.
    """

    reason: Reason
    why: str
    source: str
    target: str | None = None
    continuation: Continuation | None = None
    at_tokens: int = 0
    at_chars: int = 0
    prepared: bool = False
    stall_seconds: float | None = None
    cache_reused_tokens: int | None = None
    result: str = "running"
