"""A request may name its backend, and limit the watts and the wait."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Precedence, Verdict
from app.domain.job import NO_WISHES, Job
from app.domain.mode import Conditions
from app.routing.limit import overshoot

_ELSEWHERE = 1.0  # another backend than the one that was named counts as much as twice the allowed watts


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    wishes = job.wishes
    if wishes is NO_WISHES:
        return None
    beyond = 0.0
    limits: list[str] = []
    if wishes.target is not None and wishes.target != candidate.profile.id:
        beyond += _ELSEWHERE
        limits.append(f"asks for backend '{wishes.target}'")
    if over := overshoot(watts := candidate.watts, wishes.max_watts):
        beyond += over
        limits.append(f"allows {wishes.max_watts:g} W, it draws {watts:.3g}")
    if wishes.max_latency_seconds is not None:
        seconds = candidate.latency_seconds(stream=job.stream, tokens=job.max_tokens)
        if over := overshoot(seconds, wishes.max_latency_seconds):
            beyond += over
            limits.append(f"allows {wishes.max_latency_seconds:g} s, it takes about {seconds:.2g}")
    if not limits:
        return None
    reason = f"the request {', '.join(limits)}"
    return Verdict("request-limits", reason, penalty=beyond, reject=True, precedence=Precedence.REQUEST)
