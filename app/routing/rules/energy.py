"""What has needed less energy for a token so far is preferred: a little, or much by a job that asks for it."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.weights import LEARNED, WISHED

_MIDDLING_WATTS = 20.0  # where its speed is unknown too, this many watts weigh half


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    joules = candidate.learned.joules_per_token
    if not job.wishes.power_efficient:
        return None if joules is None else _by_token(joules, LEARNED, "")
    if joules is not None:
        return _by_token(joules, WISHED, "")
    watts, pace = candidate.watts, candidate.learned.tokens_per_second
    if watts is None:
        return Verdict("energy", "nobody knows what it draws", penalty=WISHED / 2)
    if pace:
        return _by_token(watts / pace, WISHED, ", estimated")
    return Verdict("energy", f"it draws {watts:.3g} W", penalty=WISHED * watts / (watts + _MIDDLING_WATTS))


def _by_token(joules: float, weight: float, how: str) -> Verdict:
    return Verdict("energy", f"a token takes about {joules:.2g} J{how}", penalty=weight * joules / (joules + 1))
