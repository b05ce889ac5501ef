"""How long something has been going on, in all, at the pace of the moment."""

from __future__ import annotations


class Stopwatch:
    """Stands still at first. Seconds count by `pace`, the share of them that is really used.

    What it knows is one value, replaced as a whole: another thread may read it at any time.
    """

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at: tuple[float, float | None, float] = (0.0, None, 1.0)  # seconds so far, running since, pace

    def start(self, now: float) -> None:
        seconds, _, pace = self._at
        self._at = (seconds, now, pace)

    def stop(self, now: float) -> None:
        self._at = (self.read(now), None, self._at[2])

    def pace(self, pace: float, now: float) -> None:
        """From now on seconds count by so much."""
        running = self._at[1] is not None
        self._at = (self.read(now), now if running else None, pace)

    def read(self, now: float) -> float:
        """Never falls."""
        seconds, since, pace = self._at
        return seconds if since is None else seconds + max(0.0, now - since) * pace
