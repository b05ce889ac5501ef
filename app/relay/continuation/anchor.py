"""`anchor`: a backend that can't be given its own beginning is asked to go on.

Its answer is searched for the end of what was written.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast

from app.domain.job import Job
from app.relay.continuation.rung import Parting, is_chat
from app.relay.seam import Opening
from app.relay.tail import Tail
from backends.base import Chats
from backends.lane import Lane

#: A turn of the user's, at the end: words of the system's would change who speaks, in which language, with which tools.
_ASK = "Your answer was cut off. Repeat its last two sentences word for word, then go on from there to its end."

_TOO_SHORT = 12  # characters: what can't be told apart is no anchor


class Anchor:
    """The last resort: an answer in which the end of what was written is not found is refused."""

    def fits(self, parting: Parting, lane: Lane) -> bool:  # noqa: ARG002 (whatever chats will do)
        job, written = parting.job, parting.written
        return (
            is_chat(job)
            and len(written.text) >= _TOO_SHORT
            and not parting.constrained
            and not written.reasoning
            and not job.parameters & {"tools", "logprobs"}
        )

    def open(self, parting: Parting, lane: Lane, job: Job) -> AsyncGenerator[bytes, None]:
        turns = [{"role": "assistant", "content": parting.written.text}, {"role": "user", "content": _ASK}]
        return cast(Chats, lane.backend).chat(job.with_body(messages=[*job.body["messages"], *turns]))

    def tokens_written(self, parting: Parting, lane: Lane) -> int:  # noqa: ARG002
        return parting.written.pieces

    def opening(self, parting: Parting, lane: Lane) -> Opening | None:  # noqa: ARG002
        return Tail(parting.written.text)
