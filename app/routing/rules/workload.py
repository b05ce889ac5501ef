"""Some hardware is better than other at a kind of work."""

from __future__ import annotations

from app.domain.backend import Candidate, Hardware
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.weights import WORKLOAD


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:
    good = conditions.workloads.get(job.workload)
    hardware = candidate.profile.hardware
    if not good or job.background or hardware in good:
        return None
    if hardware is Hardware.AMD and Hardware.NVIDIA in good:  # as in a mode's order
        return None
    return Verdict("workload", f"{job.workload} is better done by {' or '.join(sorted(good))}", penalty=WORKLOAD)
