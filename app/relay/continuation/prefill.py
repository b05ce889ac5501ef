"""`prefill`: the backend is given what was written as the beginning of its own turn, or of the text to go on with."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast

from app.domain.handoff import Begun, Continuation
from app.domain.job import Job
from app.relay.continuation.rung import Parting, declares, is_chat
from app.relay.overlap import Overlap
from app.relay.seam import Opening
from backends.base import Chats, Completes, Prefills
from backends.lane import Lane


class Prefill:
    """An answer of which the client has nothing yet is simply asked for."""

    def fits(self, parting: Parting, lane: Lane) -> bool:
        if parting.untouched:
            return True
        if is_chat(parting.job):
            return declares(parting, lane, Continuation.PREFILL)
        return isinstance(_prompt(parting.job), str) and not parting.constrained and not parting.job.body.get("echo")

    def open(self, parting: Parting, lane: Lane, job: Job) -> AsyncGenerator[bytes, None]:
        written = parting.written
        if not is_chat(job):
            prompt = job.body["prompt"] if parting.untouched else _prompt(job) + written.text
            return cast(Completes, lane.backend).complete(job.with_body(prompt=prompt))
        if parting.untouched:
            return cast(Chats, lane.backend).chat(job)
        begun = Begun(written.text, written.reasoning, written.pieces)
        return cast(Prefills, lane.backend).prefill(job, begun)

    def tokens_written(self, parting: Parting, lane: Lane) -> int:  # noqa: ARG002 (it counts its own tokens)
        return parting.written.pieces

    def opening(self, parting: Parting, lane: Lane) -> Opening | None:  # noqa: ARG002
        return None if parting.untouched or not is_chat(parting.job) else Overlap(parting.written.text)


def _prompt(job: Job) -> Any:
    """The text to go on with; None when it isn't one."""
    prompt = job.body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    return prompt if isinstance(prompt, str) else None
