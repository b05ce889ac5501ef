"""Each mode has its order of hardware; a job in a hurry goes by the quick one, a thrifty one by the frugal one."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job, Workload
from app.domain.mode import Conditions
from app.routing.weights import ORDER_PLACE


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:
    mode = conditions.mode
    if job.wishes.latency_critical or job.workload is Workload.REALTIME:
        mode = conditions.quick
    elif job.wishes.power_efficient:
        mode = conditions.frugal
    hardware = candidate.profile.hardware
    place = mode.place(hardware)
    if place == 0:
        return None
    if place is None:
        return Verdict("mode-order", f"{mode.name} does not name {hardware}", penalty=ORDER_PLACE * len(mode.order))
    return Verdict("mode-order", f"{hardware} is choice {place + 1} of {mode.name}", penalty=ORDER_PLACE * place)
