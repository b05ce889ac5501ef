"""What a zone's temperature was: the last minutes closely enough to fit, and coarser to draw."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque

_FITTED_SAMPLES = 640  # two minutes at more than 5 a second
_DRAWN_SAMPLES = 300
_DRAWN_EVERY_SECONDS = 1.0


class Curve:
    """Samples are (monotonic seconds, celsius), oldest first. Memory is bounded, and adding takes constant time.

    Reading is safe beside a thread that adds: a copy of a deque is one step for it.
    """

    def __init__(self) -> None:
        self._fitted: deque[tuple[float, float]] = deque(maxlen=_FITTED_SAMPLES)
        self._drawn: deque[tuple[float, float]] = deque(maxlen=_DRAWN_SAMPLES)

    def add(self, at: float, celsius: float) -> None:
        """One that is not newer than the newest says nothing, and is left out."""
        if self._fitted and at <= self._fitted[-1][0]:
            return
        self._fitted.append((at, celsius))
        if not self._drawn or at - self._drawn[-1][0] >= _DRAWN_EVERY_SECONDS:
            self._drawn.append((at, celsius))

    def samples(self, window_seconds: float) -> list[tuple[float, float]]:
        """All samples of that many seconds up to the newest."""
        samples = list(self._fitted)
        if not samples:
            return samples
        return samples[bisect_left(samples, (samples[-1][0] - window_seconds, -math.inf)) :]

    def points(self, since: float = -math.inf) -> list[tuple[float, float]]:
        """What there is to draw later than `since`: the last 5 minutes at up to one point a second, or longer."""
        return [point for point in list(self._drawn) if point[0] > since]
