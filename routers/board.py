"""What a watcher is shown: the gateway as it stands, and the decisions that are new or have changed.

Drawn when a watcher asks, and once for all that ask within a tick: without watchers it costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from app.domain.errors import RateLimitedError
from app.telemetry.decisions import Record
from routers.deps import Serving
from routers.mode import describe_mode
from routers.zones import describe_zones

TICK_SECONDS = 0.5
MOST_WATCHERS = 16
#: Decisions older than so many newer ones are told no more.
NEWEST = 200
_MOST_NEWS = 50  # at once


@dataclass(frozen=True, slots=True)
class Story:
    """A record as it was last told. `number` rises with every change of any record; `mark` tells of the next one."""

    record: Record
    mark: object
    number: int
    event: bytes


class Board:
    """`serving` says which gateway it is about, also after a reload. `watchers` is how many places are taken."""

    def __init__(self, serving: Serving, wall_clock: Callable[[], float] = time.time) -> None:
        self._serving = serving
        self._wall_clock = wall_clock
        self._state = b""
        self._drawn: float | None = None
        self._stories: dict[str, Story] = {}
        self._number = 0
        self.watchers = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place to watch from. Raises RateLimitedError when all are taken."""
        if self.watchers >= MOST_WATCHERS:
            raise RateLimitedError(
                f"{MOST_WATCHERS} are watching already.", retry_after_seconds=10, code="too_many_watchers"
            )
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    def first_state(self) -> bytes:
        """The event that begins a stream: it has the zones' recent past, too."""
        return _event(b"state", self._describe(history=True))

    def state(self) -> bytes:
        """The event of this tick."""
        self._refresh()
        return self._state

    def news(self, since: int) -> tuple[bytes, int]:
        """Events of records that are new or have changed since that number, and the number to ask with next."""
        self._refresh()
        if since == self._number:
            return b"", since
        later = sorted((story for story in self._stories.values() if story.number > since), key=_by_number)
        told = later[:_MOST_NEWS]
        return b"".join(story.event for story in told), told[-1].number if told else self._number

    def _refresh(self) -> None:
        now = self._serving.gateway.clock()
        if self._drawn is not None and now - self._drawn < TICK_SECONDS / 2:
            return
        self._drawn = now
        self._state = _event(b"state", self._describe())
        newest = [*islice(self._serving.gateway.decisions.newest(), NEWEST)]
        self._stories = {record.request_id: self._story(record) for record in reversed(newest)}

    def _describe(self, *, history: bool = False) -> dict[str, Any]:
        gateway = self._serving.gateway
        return {
            "at": self._wall_clock(),
            "mode": describe_mode(gateway),
            "zones": describe_zones(gateway, history=history),
            "backends": [lane.describe() for lane in gateway.lanes.values()],
        }

    def _story(self, record: Record) -> Story:
        """The one that is known, if nothing has happened since."""
        known, mark = self._stories.get(record.request_id), _mark(record)
        if known is not None and known.record is record and known.mark == mark:
            return known
        self._number += 1
        # `created` is in whole seconds, and a page has to put its decisions in order
        event = _event(b"decision", {**record.describe(), "at": record.wall_started})
        return Story(record, mark, self._number, event)


def _mark(record: Record) -> object:
    """What differs once a record has changed: anything while it runs, then its energy, the end of a handoff and what
    was made of an answer, which may be known late.
    """
    if record.outcome == "running":
        return record.describe()
    moves = [handoff.result for handoff in record.handoffs]
    return record.outcome, record.energy, moves, [(attempt.result, attempt.confidence) for attempt in record.judged]


def _event(name: bytes, content: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, orjson.dumps(content))


def _by_number(story: Story) -> int:
    return story.number
