"""A job's stay at a backend, from taking a place to giving it back: its time, and its part of the energy."""

from __future__ import annotations

from app.domain.decision import Route
from app.telemetry.decisions import Record
from app.telemetry.energy import UNKNOWN, Energy, Meter, Share
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from backends.lane import Lane


class Stay:
    """The place is taken already; whoever got a stay must end it. `own` says that it writes all of the answer."""

    __slots__ = (
        *("_ledger", "_meter", "_metrics", "_record", "_share", "_tokens", "_worked"),
        *("began", "lane", "model", "own", "since"),
    )

    def __init__(
        self, route: Route, lane: Lane, record: Record, meter: Meter, metrics: Metrics, ledger: Ledger, now: float
    ) -> None:
        self.lane = lane
        self.model = route.model
        self.since = now
        self.began: float | None = None
        self.own = True
        self._tokens: int | None = None
        self._record = record
        self._meter = meter
        self._metrics = metrics
        self._ledger = ledger
        self._worked = lane.worked(now)
        self._share: Share | None = Share(route.backend, route.candidate.watts, self._settled)
        meter.begin(self._share, now)

    def begin(self, now: float) -> None:
        """The first piece of the answer has come."""
        self.began = now
        self.lane.began(self.model, now - self.since)

    def complete(self, now: float, tokens: int | None) -> None:
        """The answer has come to its end, with that many tokens: what that took is learned, if all of it is its own."""
        if not self.own:
            return
        self._tokens = tokens
        writing = 0.0 if self.began is None else now - self.began
        self.lane.ended(self.model, writing, tokens, now - self.since)
        if tokens is not None and tokens > 1 and writing > 0:
            self._metrics.token_seconds[self.lane.profile.id].observe(writing / (tokens - 1))

    def end(self, now: float) -> None:
        """Give the place back, once."""
        share, self._share = self._share, None  # it leads back to this: let go of the circle
        if share is None:
            raise RuntimeError("a stay ends once")
        seconds = now - self.since
        duty = (self.lane.worked(now) - self._worked) / seconds if seconds > 0 else 1.0
        self._meter.end(share, now, duty)
        self.lane.leave()

    def _settled(self, energy: Energy) -> None:
        record, backend = self._record, self.lane.profile.id
        record.energy = energy if record.energy is None else record.energy + energy
        if energy.source == UNKNOWN or energy.joules is None:
            if self.began is not None:
                self._metrics.unmetered_answers[backend] += 1
            return
        self._metrics.energy_joules[backend, energy.source] += energy.joules
        if self.began is not None and self._tokens:
            self.lane.cost(self.model, energy.joules, self._tokens, energy.seconds)
        if record.key_name is not None:
            self._ledger.spend(record.key_name, energy.joules)
