"""`kv`: the state of the source's model moves in a file, and nothing is read again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast

from app.domain.handoff import Continuation
from app.domain.job import Job
from app.relay.continuation.rung import Parting, declares
from app.relay.seam import Opening
from backends.base import KeepsState
from backends.lane import Lane


class Kv:
    """The answer goes on bit by bit as it would have (at temperature 0, on the same compute backend)."""

    def fits(self, parting: Parting, lane: Lane) -> bool:
        if parting.untouched or not declares(parting, lane, Continuation.KV):
            return False
        backend = cast(KeepsState, lane.backend)
        return parting.snapshot is not None and backend.state_kind == parting.snapshot.state_kind

    def open(self, parting: Parting, lane: Lane, job: Job) -> AsyncGenerator[bytes, None]:
        assert parting.snapshot is not None  # noqa: S101 (it fits)
        return cast(KeepsState, lane.backend).restore(job, parting.snapshot)

    def tokens_written(self, parting: Parting, lane: Lane) -> int:
        return parting.begun(lane).written

    def opening(self, parting: Parting, lane: Lane) -> Opening | None:  # noqa: ARG002
        return None


def shares_state(source: Lane, target: Lane) -> bool:
    """Whether a file of the one could be taken by the other."""
    kind = getattr(source.backend, "state_kind", None)
    return kind is not None and kind == getattr(target.backend, "state_kind", None)
