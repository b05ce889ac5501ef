"""A backend is not given a model that is too large for it."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.size import billions


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    most = candidate.profile.max_model_billions
    if most is None:
        return None
    size = billions(candidate.model.name)
    if size is None or size <= most:
        return None
    reason = f"'{candidate.model.name}' has {size:g} billion parameters, and '{candidate.profile.id}' takes {most:g}"
    return Verdict("model-size", reason, reject=True, param="model")
