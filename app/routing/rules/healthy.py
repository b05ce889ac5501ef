"""A backend whose breaker is open gets nothing; one that is half open is tried when there is nothing better."""

from __future__ import annotations

from app.domain.backend import Candidate, Health
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.weights import DOUBTFUL


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    if candidate.health is Health.CLOSED:
        return None
    if candidate.health is Health.HALF_OPEN:
        return Verdict("healthy", f"it is on trial after failing ({candidate.ailment})", penalty=DOUBTFUL)
    return Verdict("healthy", candidate.ailment or "its breaker is open", reject=True)
