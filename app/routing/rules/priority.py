"""Work that nobody waits for goes where it is small and cool; work that is critical avoids every line."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job, Priority
from app.domain.mode import Conditions
from app.domain.thermal import ThermalState
from app.routing.size import billions
from app.routing.weights import BACKGROUND_TIER, BACKGROUND_WARM, FULL

_MIDDLING_BILLIONS = 8.0  # a model of this size weighs half a tier


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    if job.background or job.priority is Priority.BEST_EFFORT:
        return _small_and_cool(job, candidate)
    if job.priority is Priority.CRITICAL and candidate.busy >= candidate.profile.concurrency:
        penalty = FULL + FULL * candidate.ahead / candidate.profile.concurrency
        return Verdict("priority", "critical work should not wait for a place", penalty=penalty)
    return None


def _small_and_cool(job: Job, candidate: Candidate) -> Verdict | None:
    tier = candidate.profile.tier
    penalty = BACKGROUND_TIER * tier
    against = [f"tier {tier}"] if tier else []
    size = billions(candidate.model.name)
    if size:
        penalty += BACKGROUND_TIER * size / (size + _MIDDLING_BILLIONS)
        against.append(f"{size:g} billion parameters")
    if candidate.zone is not None and candidate.zone.state is ThermalState.WARNING:
        penalty += BACKGROUND_WARM
        against.append("a warm zone")
    if not against:
        return None
    kind = "background" if job.background else "best-effort"
    return Verdict("priority", f"{kind} work should be small and cool; {', '.join(against)}", penalty=penalty)
