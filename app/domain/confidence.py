"""How likely an answer is right, and what is to happen when that is too little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Judging(StrEnum):
    """When a streamed answer is judged: while its client reads it, before its first tokens are sent, or before any."""

    WATCH = "watch"
    HOLD = "hold"
    BUFFER = "buffer"


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A policy: an answer that is less likely right than `min_confidence` is asked of a larger model.

    None forwards nothing. `max_retries` counts the further attempts that are made. `escalation_path` names models or
    aliases, in order; without one it is the larger models that the request's own model stands for. What is held back
    are at most `hold_tokens`, none longer than `hold_seconds`. `warm` lets the larger model read the prompt meanwhile.
    `samples` more answers and a `verifier` model are asked for their opinion of whole answers. Budgets are for all
    further attempts of one answer together: joules, and money in whatever currency prices are configured.
    """

    min_confidence: float | None = None
    mode: Judging = Judging.HOLD
    max_retries: int = 3
    escalation_path: tuple[str, ...] = ()
    respect_thermal_limits: bool = True
    return_best_attempt: bool = True
    max_joules: float | None = None
    max_cost: float | None = None
    hold_tokens: int = 16
    hold_seconds: float = 1.0
    warm: bool = False
    samples: int = 0
    verifier: str | None = None


NO_FORWARDING = Forwarding()


@dataclass(frozen=True, slots=True)
class Confidence:
    """The probability that an answer is right, `by` which fit, from which signals; `notes` say what was missing."""

    probability: float
    by: str
    signals: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opinion:
    """What another look at an answer took: a "sample" of the same model, or a "verifier", and where it came from."""

    kind: str
    backend: str
    model: str
    tokens: int
    seconds: float


@dataclass(slots=True)
class Attempt:
    """What one model made of a job, for the record: filled in as it happens; None is unknown.

    `result` is "accepted", "doubted" (another was asked), "best" (doubted, but nothing better came), "unjudged" or
    "failed". `tokens` is how much of it was written when it was judged, `opinions` are those that were asked for.
    """

    backend: str
    model: str
    confidence: Confidence | None = None
    tokens: int = 0
    result: str = "unjudged"
    opinions: tuple[Opinion, ...] = ()
