"""What a rule is, and which there are, in the order in which they are asked."""

from __future__ import annotations

from typing import Protocol

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job

KINDS = {
    "serves-model": "app.routing.rules.serves_model:judge",
    "capability": "app.routing.rules.capability:judge",
    "context-fits": "app.routing.rules.context_fits:judge",
    "healthy": "app.routing.rules.healthy:judge",
    "least-busy": "app.routing.rules.least_busy:judge",
    "prefer-tier": "app.routing.rules.prefer_tier:judge",
}


class Rule(Protocol):
    """A pure opinion about one candidate for one job; None when it has none."""

    def __call__(self, job: Job, candidate: Candidate, /) -> Verdict | None:
        """A rejection ends the candidate's chances; penalties add up, and the smallest sum is tried first."""
