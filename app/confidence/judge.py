"""All signals of an answer at once, and what they amount to."""

from __future__ import annotations

from collections.abc import Iterable

from app.confidence.calibration import Calibration
from app.confidence.estimate import estimate
from app.confidence.exchange import Exchange
from app.confidence.signal import KINDS, RUNNING, Signal
from app.domain.confidence import Confidence
from app.loader import load


class Judge:
    """`prior` is the share of right answers of a model that nobody has measured; `note` what is wrong with its file."""

    def __init__(self, calibration: Calibration, prior: float, note: str | None = None) -> None:
        self._calibration = calibration
        self._prior = prior
        self._notes = () if note is None else (note,)
        self._signals: dict[str, Signal] = {kind: load(kind, KINDS) for kind in KINDS}

    def whole(self, exchange: Exchange, workload: str) -> Confidence:
        """Of an answer that is complete."""
        return self._judged(exchange, workload, KINDS, beginning=False)

    def beginning(self, exchange: Exchange, workload: str) -> Confidence:
        """Of one that is still being written, by signals whose work does not grow with it."""
        return self._judged(exchange, workload, RUNNING, beginning=True)

    def _judged(self, exchange: Exchange, workload: str, kinds: Iterable[str], *, beginning: bool) -> Confidence:
        signals: dict[str, float] = {}
        for kind in kinds:
            signals.update(self._signals[kind](exchange))
        trace, notes = exchange.trace, self._notes
        if trace is None or not trace.count:
            notes = (*notes, "no log-probabilities were told")
        elif trace.untold:
            notes = (*notes, f"log-probabilities of {trace.untold} tokens were not told")
        return estimate(
            signals,
            self._calibration,
            self._prior,
            model=exchange.model,
            workload=workload,
            beginning=beginning,
            notes=notes,
        )
