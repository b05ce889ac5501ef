"""The smallest backend that can do the job is the coolest and cheapest: it is asked first."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.weights import TIER


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    tier = candidate.profile.tier
    return Verdict("prefer-tier", f"tier {tier}", penalty=TIER * tier) if tier else None
