"""A count that only rises, made of a counter that wraps around or starts anew."""

from __future__ import annotations

from collections.abc import Sequence

#: How far the accumulators of drivers count that don't say it themselves.
ACCUMULATORS = (2.0**32, 2.0**64)


class Counter:
    """Deltas of a raw counter, added up.

    `spans` are the ranges after which it may begin at zero again, smallest first; none for one that never does.
    `total` begins with the first raw value and never falls; None before that. `per_second` is the mean rise between the
    last two looks, None where nobody knows it.
    """

    def __init__(self, spans: Sequence[float] = ()) -> None:
        self.total: float | None = None
        self.per_second: float | None = None
        self.spans = spans
        self._last: tuple[float, float] | None = None

    def count(self, raw: float | None, at: float) -> None:
        """`raw` is what the counter said `at` that instant of the monotonic clock, None where it said nothing."""
        if raw is None:
            self.per_second = None
            return
        risen, seconds = None, 0.0
        if self._last is not None:
            risen, seconds = _risen(self._last[0], raw, self.spans), at - self._last[1]
        self.total = raw if self.total is None else self.total + (risen or 0.0)
        self.per_second = risen / seconds if risen is not None and seconds > 0 else None
        self._last = raw, at

    def cut(self) -> None:
        """What follows has nothing to do with what was: another device, or the same one begun anew."""
        self._last = None
        self.per_second = None


def _risen(before: float, after: float, spans: Sequence[float]) -> float | None:
    """What was counted in between; None when it began anew, and nobody knows how much was counted before it did.

    A fall is a wrap-around if that means less than half a span, as in serial number arithmetic (RFC 1982).
    """
    if after >= before:
        return after - before
    span = next((span for span in spans if before <= span), None)
    if span is None or after - before + span > span / 2:
        return None
    return after - before + span
