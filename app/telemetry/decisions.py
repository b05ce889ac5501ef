"""The last decisions and what became of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from app.domain.confidence import Attempt
from app.domain.decision import Decision, Route
from app.domain.handoff import Handoff
from app.domain.job import Job
from app.telemetry.energy import Energy


class Record:
    """One job's story, without its words: filled in as it happens, told only when somebody asks.

    `backend` and `model` are those that write now, or wrote last.
    """

    __slots__ = (
        "attempts",
        "backend",
        "background",
        "decision",
        "endpoint",
        "energy",
        "error",
        "first_chunk_seconds",
        "handoffs",
        "judged",
        "key_name",
        "line",
        "model",
        "model_asked",
        "outcome",
        "priority",
        "request_id",
        "seconds",
        "started",
        "stream",
        "usage",
        "waited_seconds",
        "wall_started",
        "workload",
    )

    def __init__(self, job: Job, started: float) -> None:
        self.request_id = job.request_id
        self.endpoint = job.capability
        self.model_asked = job.model
        self.stream = job.stream
        self.key_name = job.key_name
        self.workload = job.workload
        self.priority = job.priority
        self.background = job.background
        self.decision: Decision | None = None
        self.attempts: list[tuple[str, str]] = []
        self.handoffs: list[Handoff] = []
        self.judged: list[Attempt] = []
        self.backend: str | None = None
        self.model: str | None = None
        self.started = started
        self.wall_started = time.time()
        self.line: tuple[int, float | None] | None = None
        self.waited_seconds = 0.0
        self.energy: Energy | None = None
        self.first_chunk_seconds: float | None = None
        self.seconds: float | None = None
        self.usage: dict[str, Any] | None = None
        self.outcome = "running"
        self.error: str | None = None

    def end(self, outcome: str, now: float, error: str | None = None) -> None:
        """Close it; the first outcome stands."""
        if self.outcome == "running":
            self.outcome, self.error, self.seconds = outcome, error, now - self.started

    def describe(self) -> dict[str, Any]:
        """As JSON: null is unknown."""
        decision = self.decision
        return {
            "request_id": self.request_id,
            "created": int(self.wall_started),
            "endpoint": self.endpoint,
            "model_asked": self.model_asked,
            "key": self.key_name,
            "stream": self.stream,
            "workload": self.workload,
            "priority": self.priority.word,
            "background": self.background,
            "mode": decision.mode if decision else None,
            "relaxed": decision.relaxed.name.lower() if decision and decision.relaxed else None,
            "queue": self._queue(),
            "outcome": self.outcome,
            "error": self.error,
            "backend": self.backend,
            "model": self.model,
            "first_chunk_seconds": _rounded(self.first_chunk_seconds),
            "seconds": _rounded(self.seconds),
            "usage": self.usage,
            "energy": describe_energy(self.energy),
            "failed_attempts": [{"backend": backend, "reason": reason} for backend, reason in self.attempts],
            "answers": [describe_attempt(attempt) for attempt in self.judged],
            "handoffs": [describe_handoff(handoff) for handoff in self.handoffs],
            "routes": [describe_route(route) for route in decision.routes] if decision else [],
            "rejected": [describe_route(route) for route in decision.rejected] if decision else [],
        }

    def _queue(self) -> dict[str, Any] | None:
        """The line that it had to stand in; null when there was none."""
        if self.line is None:
            return None
        ahead, wait_seconds = self.line
        return {
            "ahead": ahead,
            "estimated_wait_seconds": _rounded(wait_seconds),
            "waited_seconds": _rounded(self.waited_seconds),
        }


def describe_energy(energy: Energy | None) -> dict[str, Any] | None:
    """Joules with their error and their source; null until the last joule is settled."""
    if energy is None:
        return None
    return {
        "joules": _rounded(energy.joules),
        "error_joules": _rounded(energy.error_joules),
        "source": energy.source,
    }


def describe_attempt(attempt: Attempt) -> dict[str, Any]:
    """One model's answer as it was judged, with the signals that spoke for or against it."""
    confidence = attempt.confidence
    return {
        "backend": attempt.backend,
        "model": attempt.model,
        "result": attempt.result,
        "tokens": attempt.tokens,
        "opinions": [{**asdict(opinion), "seconds": round(opinion.seconds, 4)} for opinion in attempt.opinions],
        "confidence": None if confidence is None else round(confidence.probability, 4),
        "by": None if confidence is None else confidence.by,
        "signals": {} if confidence is None else {name: round(each, 4) for name, each in confidence.signals.items()},
        "notes": [] if confidence is None else list(confidence.notes),
    }


def describe_handoff(handoff: Handoff) -> dict[str, Any]:
    """One move of the answer; null is unknown, or not yet known."""
    stall = handoff.stall_seconds
    return {
        "reason": handoff.reason,
        "why": handoff.why,
        "from": handoff.source,
        "to": handoff.target,
        "continuation": handoff.continuation,
        "at_tokens": handoff.at_tokens,
        "at_chars": handoff.at_chars,
        "prepared": handoff.prepared,
        "stall_ms": None if stall is None else round(stall * 1000, 1),
        "cache_reused_tokens": handoff.cache_reused_tokens,
        "result": handoff.result,
    }


def describe_route(route: Route) -> dict[str, Any]:
    """A route with every verdict that says why."""
    return {
        "backend": route.backend,
        "model": route.model,
        "penalty": round(route.penalty, 3),
        "verdicts": [
            {"rule": verdict.rule, "reason": verdict.reason, "penalty": verdict.penalty, "reject": verdict.reject}
            for verdict in route.verdicts
        ],
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


class Decisions:
    """Keeps the last `limit` records; one that repeats a request id takes the older one's place."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._records: OrderedDict[str, Record] = OrderedDict()

    def add(self, record: Record) -> None:
        records, request_id = self._records, record.request_id
        if request_id in records:
            records.move_to_end(request_id)
        records[request_id] = record
        if len(records) > self._limit:
            records.popitem(last=False)

    def keep(self, limit: int) -> None:
        """Change the limit; what is too much is forgotten."""
        self._limit = limit
        while len(self._records) > limit:
            self._records.popitem(last=False)

    def find(self, request_id: str) -> Record | None:
        return self._records.get(request_id)

    def newest(self) -> Iterator[Record]:
        return reversed(self._records.values())
