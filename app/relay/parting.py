"""What is done before an answer leaves its backend: the next one reads ahead, and the source gives its state away."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

from app.domain.decision import Route
from app.domain.errors import BackendError
from app.domain.handoff import Begun
from app.relay.answer import Answer
from app.relay.continuation.kv import shares_state
from app.relay.continuation.rung import Parting
from app.relay.course import Course, Move
from app.relay.transcript import Written
from backends.base import KeepsState, Warms

_SAVE_SECONDS = 10.0
_FEW_TOKENS, _WARMINGS = 16, 3


def read(answer: Answer) -> Written | None:
    """What was written; None when that makes no sense."""
    try:
        return answer.transcript.written()
    except ValueError:
        return None


async def part(answer: Answer, course: Course, written: Written, move: Move) -> Parting:
    """Stop the source; with its state, if somebody could use that: where it goes, or it itself later."""
    source, since, snapshot = course.lane, answer.watch.clock(), None
    if (written.text or written.reasoning) and shares_state(source, move.lane or source):
        begun = Begun(written.text, written.reasoning, written.pieces)
        backend = cast(KeepsState, source.backend)
        try:
            async with asyncio.timeout(_SAVE_SECONDS):
                snapshot = await backend.save(course.placed, begun, answer.stop_writing)
        except BackendError as error:
            course.record.attempts.append((source.profile.id, error.message))
        except TimeoutError:
            course.record.attempts.append((source.profile.id, "did not give its state in time"))
    await answer.stop_writing()
    return Parting(course.job, written, source, since, snapshot)


def warm(answer: Answer, course: Course, move: Move) -> None:
    """Let the target read what is written, while the source goes on; a state that moves needs no reading."""
    lane, route = move.lane, move.route
    if lane is None or route is None or not move.placed or shares_state(course.lane, lane):
        return
    if isinstance(lane.backend, Warms):
        move.warming = asyncio.create_task(_warm(answer, course, route, lane.backend))


async def _warm(answer: Answer, course: Course, route: Route, backend: Warms) -> None:
    """Again and again, until little has been written meanwhile. A target that can't be warmed is moved to cold."""
    known = -_FEW_TOKENS
    for _ in range(_WARMINGS):
        written = read(answer)
        if written is None or written.pieces - known < _FEW_TOKENS:
            return
        known = written.pieces
        with contextlib.suppress(BackendError):
            await backend.warm(course.job.to(route.model), Begun(written.text, written.reasoning, known))
