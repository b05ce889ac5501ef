"""What a rule is, and which there are, in the order in which they are asked."""

from __future__ import annotations

from typing import Protocol

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions

KINDS = {
    "serves-model": "app.routing.rules.serves_model:judge",
    "capability": "app.routing.rules.capability:judge",
    "context-fits": "app.routing.rules.context_fits:judge",
    "model-size": "app.routing.rules.model_size:judge",
    "healthy": "app.routing.rules.healthy:judge",
    "keep-cool": "app.routing.rules.keep_cool:judge",
    "mode-limits": "app.routing.rules.mode_limits:judge",
    "budget": "app.routing.rules.budget:judge",
    "request-limits": "app.routing.rules.request_limits:judge",
    "forecast": "app.routing.rules.forecast:judge",
    "mode-order": "app.routing.rules.mode_order:judge",
    "workload": "app.routing.rules.workload:judge",
    "priority": "app.routing.rules.priority:judge",
    "keep-quiet": "app.routing.rules.keep_quiet:judge",
    "latency": "app.routing.rules.latency:judge",
    "energy": "app.routing.rules.energy:judge",
    "least-busy": "app.routing.rules.least_busy:judge",
    "prefer-tier": "app.routing.rules.prefer_tier:judge",
}


class Rule(Protocol):
    """A pure opinion about one candidate for one job under the conditions of the moment; None when it has none."""

    def __call__(self, job: Job, candidate: Candidate, conditions: Conditions, /) -> Verdict | None:
        """A rejection ends the candidate's chances; penalties add up, and the smallest sum is tried first."""
