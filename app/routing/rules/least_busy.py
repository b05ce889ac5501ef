"""Work goes where there is room; waiting for a place is worse than going one tier up."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.weights import BUSY, FULL


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    busy, places = candidate.busy, candidate.profile.concurrency
    if not busy:
        return None
    if busy < places:
        return Verdict("least-busy", f"{busy} of {places} places taken", penalty=BUSY * busy / places)
    wait = "nobody knows how long" if candidate.wait_seconds is None else f"about {candidate.wait_seconds:.2g} s"
    reason = f"all {places} places taken, {candidate.ahead} ahead: {wait}"
    return Verdict("least-busy", reason, penalty=FULL + FULL * candidate.ahead / places)
