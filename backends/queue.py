"""A line with priorities in which waiting counts, so that everybody's turn comes.

A job that has waited for `ageing_seconds` counts as one priority higher. Of two that wait both gain alike, so their
order never changes: it is that of `arrival - priority * ageing_seconds`, first come first served within a priority.
One line a priority keeps every step but a count of those ahead independent of how many wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from itertools import takewhile
from queue import Full
from typing import Generic, TypeVar

from app.domain.job import Priority

T = TypeVar("T", bound=Hashable)


class PriorityQueue(Generic[T]):
    """At most `bound` wait. Time comes in as an argument, in seconds, and never goes back."""

    __slots__ = ("_ageing_seconds", "_bound", "_lines")

    def __init__(self, bound: int, ageing_seconds: float) -> None:
        self._bound = bound
        self._ageing_seconds = ageing_seconds
        self._lines: tuple[OrderedDict[T, float], ...] = tuple(OrderedDict() for _ in Priority)  # lowest first

    def __len__(self) -> int:
        return sum(map(len, self._lines))

    def push(self, item: T, priority: Priority, now: float) -> T | None:
        """Take it in; who had to go for it, None for nobody.

        When the line is full, the last one of the lowest priority goes, if it is lower and has not waited so long that
        it would be served before the newcomer. Raises queue.Full when there is none.
        """
        displaced = self._displaced(priority, now) if len(self) >= self._bound else None
        self._lines[priority][item] = now
        return displaced

    def pop(self) -> T | None:
        """Whose turn it is, None when nobody waits."""
        first: OrderedDict[T, float] | None = None
        earliest = (0.0, 0.0)
        for priority, line in enumerate(self._lines):
            if line:
                arrival = next(iter(line.values()))
                turn = (self._turn(priority, arrival), arrival)
                if first is None or turn < earliest:
                    first, earliest = line, turn
        return None if first is None else first.popitem(last=False)[0]

    def remove(self, item: T) -> None:
        """It waits no longer, if it did."""
        for line in self._lines:
            line.pop(item, None)

    def ahead(self, priority: Priority, now: float) -> int:
        """How many would be served before one who comes now."""
        turn = self._turn(priority, now)
        return sum(
            len(line) if rank >= priority else self._served_before(turn, rank) for rank, line in enumerate(self._lines)
        )

    def counts(self) -> dict[Priority, int]:
        """How many wait, by priority, the most urgent first."""
        return {priority: len(self._lines[priority]) for priority in sorted(Priority, reverse=True)}

    def _turn(self, priority: int, arrival: float) -> float:
        """The smallest is served first."""
        return arrival - priority * self._ageing_seconds

    def _served_before(self, turn: float, priority: int) -> int:
        arrivals = self._lines[priority].values()
        return sum(1 for _ in takewhile(lambda arrival: self._turn(priority, arrival) <= turn, arrivals))

    def _displaced(self, newcomer: Priority, now: float) -> T:
        turn = self._turn(newcomer, now)
        for priority, line in enumerate(self._lines):
            # nobody who is as urgent, or more, is behind one who comes now
            if line and self._turn(priority, next(reversed(line.values()))) > turn:
                return line.popitem()[0]
        raise Full
