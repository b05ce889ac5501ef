"""Work goes where the fan is not loud."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.domain.thermal import Noise
from app.routing.weights import NOISE

_PENALTIES = {Noise.MODERATE: NOISE / 4, Noise.LOUD: NOISE}


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    zone = candidate.zone
    if zone is None or (noise := zone.noise) is None:
        return None
    penalty = _PENALTIES.get(noise)
    if penalty is None:
        return None
    return Verdict("keep-quiet", f"the fan of zone '{zone.id}' is {noise} at {zone.fan_percent:.0f} %", penalty=penalty)
