"""Holds a little of an answer back before its backend changes, and pays it out meanwhile: the reader sees no gap."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Collection

from app.domain.sse import DONE

_END = b"\n\n"

#: How long an event waits for its turn, in usual gaps.
_COLLECTING, _USUAL, _DRAINING, _AT_ONCE = 1.1, 1.0, 0.9, 0.0

_LAST_ARRIVALS, _KNOWN_ARRIVALS = 16, 4
_LEAST_ROOM, _MOST_ROOM = 32, 256
_ROOM_IN_BRIDGES = 4


class Delivery:
    """One task puts in what its backend writes, another takes out what is due; times by a monotonic clock.

    Everything is due as it comes until a bridge is asked for, but for the last `hold_tokens` events, each of which is
    held for `hold_seconds` at most: so long it can be taken back. All of one that is `ending` before it `began` is
    held so: it is about to be judged. With a bridge events come out one by one, at the pace at which they came in: a
    tenth slower while too few are held, a tenth quicker after the change until none are.
    Source: DiSCo (arXiv 2502.11417), where a buffer of tokens hides the move of a stream between device and server.
    """

    __slots__ = (
        *("_arrivals", "_arrived", "_came", "_clock", "_closed", "_error", "_events", "_gap", "_hold_seconds"),
        *("_hold_tokens", "_news", "_paid", "_pause", "_room", "_since", "_space", "_stretch", "_wanted", "began"),
        "ending",
    )

    def __init__(
        self,
        clock: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        hold_tokens: int = 0,
        hold_seconds: float = 0.0,
    ) -> None:
        self.began = False
        self.ending = False
        self._clock = clock
        self._pause = pause
        self._hold_tokens = hold_tokens
        self._hold_seconds = hold_seconds
        self._events: deque[bytes] = deque()
        self._since: deque[float] = deque()
        self._news = asyncio.Event()
        self._space = asyncio.Event()
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=_LAST_ARRIVALS)
        self._arrived: float | None = None
        self._gap = 0.0
        self._came = self._paid = -math.inf
        self._stretch = _AT_ONCE
        self._wanted = 0
        self._room = _LEAST_ROOM
        self._closed = False
        self._error: BaseException | None = None

    @property
    def held(self) -> int:
        """Events that were put and not yet taken: never more than there is room for and one block."""
        return len(self._events)

    def put(self, block: bytes) -> None:
        """Whole events. With `[DONE]` at its end, nothing more will come."""
        events = block.split(_END)[:-1]
        if not events:
            return
        now = self._clock()
        if self._arrived is not None:
            self._arrivals.append(((now - self._arrived) / len(events), len(events)))
            self._gap = _usual_gap(self._arrivals)
        self._arrived = now
        if not self._events:
            self._came = now
        self._events.extend(event + _END for event in events)
        self._since.extend(now for _ in events)
        if block.endswith(DONE):
            self._closed = True
        self._news.set()

    def close(self, error: BaseException | None = None) -> None:
        """No more will come, because of the error if there is one: what is held is due at once."""
        self._closed = True
        self._error = error
        self._news.set()

    async def next(self) -> bytes:
        """The events that are due, at least one; empty at the end. May be cancelled: nothing is lost.

        Raises the error that it was closed with, after all that was put.
        """
        while not self._events or self._is_held():
            if not self._events and self._error is not None:
                raise self._error
            if not self._events and self._closed:
                return b""
            await self._wait()
        early = self._due() - self._clock()
        if early > 0 and not self._closed:
            await self._pause(early)
        return self._take()

    def unsent(self) -> list[bytes]:
        """The events that are held."""
        return list(self._events)

    def take_back(self, count: int) -> None:
        """The last so many of them were never put."""
        for _ in range(count):
            self._events.pop()
            self._since.pop()

    def bridge(self, seconds: float) -> bool:
        """Whether what is held would last so long. Collects until it does; ask again with every block.

        A gap for which more would have to be held than there can be room for is not bridged, and slows nothing.
        """
        if not self._gap:
            return False
        needed = math.ceil(seconds / self._gap) + 1
        self._stretch = _USUAL
        self._wanted = needed if needed <= _MOST_ROOM else 0
        self._room = min(max(_LEAST_ROOM, _ROOM_IN_BRIDGES * needed), _MOST_ROOM)
        return len(self._events) >= needed

    def changing(self) -> None:
        """Nothing comes for a while: what is held is paid out at the usual pace."""
        self._wanted = 0

    def changed(self) -> None:
        """It goes on, or the change was called off: what is held is paid out a little quicker than it comes."""
        self._wanted = 0
        self._stretch = _DRAINING

    async def room(self) -> None:
        """Wait while too much is held: four times what the bridge needs, between 32 and 256 events."""
        while len(self._events) >= self._room:
            self._arrived = None  # what comes after a wait of ours does not tell the pace of its writer
            self._space.clear()
            await self._space.wait()

    def _is_held(self) -> bool:
        """Whether the first event may still be taken back."""
        enough = len(self._events) > self._hold_tokens and (self.began or not self.ending)
        if self._closed or enough:
            return False
        return self._clock() - self._since[0] < self._hold_seconds

    async def _wait(self) -> None:
        """For news; for no longer than the first event may be held."""
        self._news.clear()
        if not self._events:
            await self._news.wait()
            return
        left = self._since[0] + self._hold_seconds - self._clock()
        timer = asyncio.get_running_loop().call_later(left, self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()

    def _due(self) -> float:
        """When it is the first event's turn: when it came, or so long after the one before it."""
        stretch = _COLLECTING if len(self._events) < self._wanted else self._stretch
        return max(self._came, self._paid + self._gap * stretch)

    def _take(self) -> bytes:
        """The first event, and all others whose turn has come since: a reader that is late catches up."""
        now = self._clock()
        taken: list[bytes] = []
        while self._events and (not taken or self._closed or (self._due() <= now and not self._is_held())):
            self._paid = self._due()
            taken.append(self._events.popleft())
            self._since.popleft()
        self.began = True
        if not self._events and self._stretch == _DRAINING:
            self._stretch = _AT_ONCE
        self._space.set()
        return b"".join(taken)


def _usual_gap(arrivals: Collection[tuple[float, int]]) -> float:
    """Mean seconds from event to event, of blocks as (seconds for each event, events); 0 when too few are known.

    The longest counts as the second longest, so that a hiccup is no change of pace, and the pauses between bursts are
    part of one.
    """
    if len(arrivals) < _KNOWN_ARRIVALS:
        return 0.0
    *usual, (_, events) = sorted(arrivals)
    seconds = sum(gap * count for gap, count in usual) + usual[-1][0] * events
    return seconds / (events + sum(count for _, count in usual))
