"""What has answered sooner so far is preferred: a little, or much by a job in a hurry."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job, Workload
from app.domain.mode import Conditions
from app.routing.weights import LEARNED, WISHED


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    hurry = job.wishes.latency_critical or job.workload is Workload.REALTIME
    seconds = candidate.latency_seconds(stream=job.stream, tokens=job.max_tokens)
    if seconds is None:
        return Verdict("latency", "nobody knows yet how long it takes", penalty=WISHED / 2) if hurry else None
    weight = WISHED if hurry else LEARNED
    what = "the first token" if job.stream else "the answer"
    return Verdict("latency", f"{what} takes about {seconds:.2g} s", penalty=weight * seconds / (seconds + 1))
