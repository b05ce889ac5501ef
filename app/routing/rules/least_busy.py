"""Work goes where there is room; waiting for a place is worse than going one tier up."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job

_FULL_PENALTY = 2.0


def judge(job: Job, candidate: Candidate) -> Verdict | None:  # noqa: ARG001 (every rule is asked alike)
    busy, places = candidate.busy, candidate.profile.concurrency
    if not busy:
        return None
    if busy < places:
        return Verdict("least-busy", f"{busy} of {places} places taken", penalty=0.9 * busy / places)
    ahead = candidate.waiting
    return Verdict("least-busy", f"all {places} places taken, {ahead} waiting", penalty=_FULL_PENALTY + ahead / places)
