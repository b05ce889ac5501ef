"""How long jobs ran, with each moment divided equally among those that did."""

from __future__ import annotations

from bisect import bisect_right


class Timeline:
    """Processor sharing: `portion` is the integral of dt / running, which one job that always runs would have had;
    `busy` that of the moments in which any ran. Seconds; both never fall.

    Keeps the points at which the number of jobs changed since `forget`, so that a moment of the recent past can be
    asked for.
    """

    __slots__ = ("_busy", "_portions", "_times", "running")

    def __init__(self) -> None:
        self.running = 0
        self._times: list[float] = []
        self._portions: list[float] = []
        self._busy: list[float] = []

    def change(self, now: float, by: int, *, keep: bool = True) -> float:
        """So many more (or fewer) jobs run from now on; the portion until now. `keep` says whether the past matters."""
        now = max(now, self._times[-1]) if self._times else now
        portion, busy = self.at(now)
        if not keep:
            self._clear()
        self._times.append(now)
        self._portions.append(portion)
        self._busy.append(busy)
        self.running += by
        return portion

    def at(self, when: float) -> tuple[float, float]:
        """Portion and busy seconds until that moment; of a time before all that is known, those of its beginning."""
        times = self._times
        if not times:
            return 0.0, 0.0
        index = bisect_right(times, when) - 1
        if index < 0:
            return self._portions[0], self._busy[0]
        portion, busy, seconds = self._portions[index], self._busy[index], when - times[index]
        if index + 1 == len(times):
            return (portion + seconds / self.running, busy + seconds) if self.running else (portion, busy)
        whole = times[index + 1] - times[index]
        part = seconds / whole if whole else 0.0
        return (
            portion + (self._portions[index + 1] - portion) * part,
            busy + (self._busy[index + 1] - busy) * part,
        )

    def forget(self, before: float) -> None:
        """What was before that moment is not asked for any more."""
        if not self._times or before <= self._times[0]:
            return
        portion, busy = self.at(before)
        later = bisect_right(self._times, before)
        self._times[:later] = [before]
        self._portions[:later] = [portion]
        self._busy[:later] = [busy]

    def _clear(self) -> None:
        self._times.clear()
        self._portions.clear()
        self._busy.clear()
