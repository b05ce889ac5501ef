"""The mode in force says which hardware is used, how many watts it may draw, how loud and how hot it may be."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Precedence, Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.limit import overshoot

_UNUSED = 1.0  # hardware that the mode leaves out counts as much as twice the allowed watts


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    mode, zone, watts = conditions.mode, candidate.zone, candidate.watts
    within = mode.max_watts is None or watts is None or watts <= mode.max_watts
    if within and zone is None and candidate.profile.hardware in mode.order:
        return None  # most are, and nobody needs to add up nothing
    beyond = 0.0
    limits: list[str] = []
    if mode.place(candidate.profile.hardware) is None:
        beyond += _UNUSED
        limits.append(f"uses no {candidate.profile.hardware}")
    if over := overshoot(watts, mode.max_watts):
        beyond += over
        limits.append(f"allows {mode.max_watts:g} W, it draws {watts:.3g}")
    if zone is not None:
        if over := overshoot(zone.fan_percent, mode.max_fan_percent):
            beyond += over
            limits.append(f"allows {mode.max_fan_percent:g} % fan, zone '{zone.id}' has {zone.fan_percent:.0f}")
        if over := overshoot(zone.celsius, mode.max_celsius):
            beyond += over
            limits.append(f"allows {mode.max_celsius:g} °C, zone '{zone.id}' has {zone.celsius:.1f}")
    if not limits:
        return None
    reason = f"mode {mode.name} {', '.join(limits)}"
    return Verdict("mode-limits", reason, penalty=beyond, reject=True, precedence=Precedence.MODE)
