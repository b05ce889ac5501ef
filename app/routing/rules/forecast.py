"""A long answer is not begun where it would get too hot before its end."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Precedence, Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.limit import overshoot


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    zone = candidate.zone
    if zone is None or zone.forecast is None:
        return None
    until = zone.seconds_until_critical()
    if until is None:
        return None
    takes = candidate.latency_seconds(stream=False, tokens=job.max_tokens)
    over = overshoot(takes, until)
    if not over:
        return None
    reason = f"would reach {zone.trips.critical:g} °C in about {until:.0f} s, the answer takes about {takes:.0f} s"
    return Verdict("forecast", reason, penalty=over, reject=True, precedence=Precedence.DEFAULT)
