"""What a continuation is, and the ladder of them: the best first."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

from app.domain.backend import Capability
from app.domain.handoff import Begun, Continuation, Snapshot
from app.domain.job import Job
from app.relay.seam import Opening
from app.relay.transcript import Written
from backends.lane import Lane

KINDS: dict[str, str] = {
    Continuation.KV: "app.relay.continuation.kv:Kv",
    Continuation.TOKENS: "app.relay.continuation.tokens:Tokens",
    Continuation.PREFILL: "app.relay.continuation.prefill:Prefill",
    Continuation.ANCHOR: "app.relay.continuation.anchor:Anchor",
}

#: What of a body constrains the answer's form: a backend that goes on in its middle must keep to it.
_CONSTRAINTS = ("grammar", "json_schema", "guided_json", "guided_regex", "guided_choice", "structured_outputs")


@dataclass(frozen=True, slots=True)
class Parting:
    """What an answer takes along when it leaves: the job as it came, what was written, and the source's state if it
    could be had. `since` is when that was told to stop, or failed.
    """

    job: Job
    written: Written
    source: Lane
    since: float
    snapshot: Snapshot | None = None

    @property
    def untouched(self) -> bool:
        """Whether the client has nothing of the answer's words yet: then any backend can begin it anew."""
        return not (self.written.text or self.written.reasoning or self.written.calls)

    @property
    def constrained(self) -> bool:
        """Whether a form is imposed on what comes next."""
        return not self.untouched and is_constrained(self.job)

    def begun(self, lane: Lane) -> Begun:
        """For a backend: with token ids only if they are of its own model."""
        snapshot, written = self.snapshot, self.written
        if snapshot is not None and getattr(lane.backend, "state_kind", None) == snapshot.state_kind:
            return snapshot.begun
        return Begun(written.text, written.reasoning, written.pieces)


def is_constrained(job: Job) -> bool:
    """Whether the job asks for JSON of some form, for a certain call, or for what some grammar allows."""
    body = job.body
    wanted = body.get("response_format")
    choice = body.get("tool_choice")
    return (
        (isinstance(wanted, dict) and wanted.get("type") not in (None, "text"))
        or choice == "required"
        or isinstance(choice, dict)
        or any(body.get(name) is not None for name in _CONSTRAINTS)
    )


class Rung(Protocol):
    """One continuation."""

    def fits(self, parting: Parting, lane: Lane) -> bool:
        """Whether this backend can be gone on at in this way."""

    def open(self, parting: Parting, lane: Lane, job: Job) -> AsyncGenerator[bytes, None]:
        """What the backend writes next; `job` is the parting's, for this backend and for what is left to write."""

    def tokens_written(self, parting: Parting, lane: Lane) -> int:
        """How many tokens of what was written the backend counts as its prompt."""

    def opening(self, parting: Parting, lane: Lane) -> Opening | None:
        """What its first words go through; None when it goes on exactly where it should."""


def declares(parting: Parting, lane: Lane, continuation: Continuation) -> bool:
    """Whether the backend says that it can, in the middle of this job."""
    backend: Any = lane.backend
    if continuation not in getattr(backend, "continuations", ()):
        return False
    return not parting.constrained or continuation in backend.keeps_constraints


def is_chat(job: Job) -> bool:
    return job.capability is Capability.CHAT
