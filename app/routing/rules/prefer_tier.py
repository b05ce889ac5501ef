"""The smallest backend that can do the job is the coolest and cheapest: it is asked first."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job


def judge(job: Job, candidate: Candidate) -> Verdict | None:  # noqa: ARG001 (every rule is asked alike)
    tier = candidate.profile.tier
    return Verdict("prefer-tier", f"tier {tier}", penalty=float(tier)) if tier else None
