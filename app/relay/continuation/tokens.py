"""`tokens`: the backend is given token ids, so that no template and no tokenizer comes between."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast

from app.domain.handoff import Continuation
from app.domain.job import Job
from app.relay.continuation.rung import Parting, declares, is_chat
from app.relay.overlap import Overlap
from app.relay.seam import Opening
from backends.base import Replays
from backends.lane import Lane


class Tokens:
    """The source's own ids where they are known and the model is the same, else the backend's for the same text."""

    def fits(self, parting: Parting, lane: Lane) -> bool:
        if parting.untouched or not declares(parting, lane, Continuation.TOKENS):
            return False
        return is_chat(parting.job) or parting.begun(lane).tokens is not None

    def open(self, parting: Parting, lane: Lane, job: Job) -> AsyncGenerator[bytes, None]:
        return cast(Replays, lane.backend).replay(job, parting.begun(lane))

    def tokens_written(self, parting: Parting, lane: Lane) -> int:
        return parting.begun(lane).written

    def opening(self, parting: Parting, lane: Lane) -> Opening | None:
        return Overlap(parting.written.text) if parting.begun(lane).tokens is None else None
