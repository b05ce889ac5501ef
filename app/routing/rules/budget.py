"""All zones together may draw so many watts: what is idle is not woken when it would take more than is left."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Precedence, Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.limit import overshoot


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    left, watts = conditions.watts_left, candidate.watts
    if left is None or candidate.busy:  # what works already is in what has been spent
        return None
    over = overshoot(watts, left)
    if not over:
        return None
    reason = f"the budget has {max(left, 0.0):.3g} W left, it draws {watts:.3g}"
    return Verdict("budget", reason, penalty=over, reject=True, precedence=Precedence.MODE)
