"""Work goes where the fan is not heard."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.domain.thermal import FanPoints
from app.routing.weights import NOISE

_MODERATE = NOISE / 4


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    zone = candidate.zone
    if zone is None or (percent := zone.fan_percent) is None or percent <= zone.fans.quiet:
        return None
    reason = f"the fan of zone '{zone.id}' is {zone.noise} at {percent:.0f} %"
    return Verdict("keep-quiet", reason, penalty=_penalty(zone.fans, percent))


def _penalty(fans: FanPoints, percent: float) -> float:
    """A quarter up to the moderate point, all from the loud point on, linear between."""
    if percent >= fans.loud:
        return NOISE
    if percent <= fans.moderate:
        return _MODERATE
    return _MODERATE + (NOISE - _MODERATE) * (percent - fans.moderate) / (fans.loud - fans.moderate)
