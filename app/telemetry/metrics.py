"""Counters as plain integers on the hot path; they get Prometheus' shapes when it scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

from app.domain.handoff import Handoff

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_TOKEN_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)
_STALL_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SHARE_BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class Histogram:
    """Counts a bucket, and the sum. Seconds, or shares."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...] = _BOUNDS) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """(upper bound, observations at or under it), as Prometheus wants them."""
        rows, count = [], 0
        for bound, bucket in zip([*map(str, self.bounds), "+Inf"], self.buckets, strict=True):
            count += bucket
            rows.append((bound, float(count)))
        return rows


def _of_tokens() -> Histogram:
    return Histogram(_TOKEN_BOUNDS)


def _of_stalls() -> Histogram:
    return Histogram(_STALL_BOUNDS)


def _of_shares() -> Histogram:
    return Histogram(_SHARE_BOUNDS)


class Metrics:
    """Labels are bounded: endpoints, statuses, backends and outcomes, never what a client sent.

    `energy_joules` is by backend and source (measured or estimated); `unmetered_answers` are those whose energy nobody
    knows. `relaxed` counts decisions for which a limit gave way, by whose it was.
    `handoffs` are by reason, continuation and result; `slot_bytes` of models' state were moved with them.
    `forwardings` are by backend that was doubted, backend that was asked and result; `confidence` is by backend.
    """

    def __init__(self) -> None:
        self.requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self.request_seconds: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.answers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.first_chunk_seconds: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.token_seconds: defaultdict[str, Histogram] = defaultdict(_of_tokens)
        self.wait_seconds: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.prompt_tokens: defaultdict[str, int] = defaultdict(int)
        self.completion_tokens: defaultdict[str, int] = defaultdict(int)
        self.decisions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.relaxed: defaultdict[str, int] = defaultdict(int)
        self.workloads: defaultdict[str, int] = defaultdict(int)
        self.energy_joules: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.unmetered_answers: defaultdict[str, int] = defaultdict(int)
        self.handoffs: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.stall_seconds: defaultdict[str, Histogram] = defaultdict(_of_stalls)
        self.slot_bytes = 0
        self.forwardings: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.confidence: defaultdict[str, Histogram] = defaultdict(_of_shares)

    def handed_off(self, handoff: Handoff) -> None:
        """Count one that has ended, however it did."""
        continuation = handoff.continuation or "none"
        self.handoffs[handoff.reason, continuation, handoff.result] += 1
        if handoff.stall_seconds is not None:
            self.stall_seconds[continuation].observe(handoff.stall_seconds)
