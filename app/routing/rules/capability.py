"""A backend that can't do what the request asks for is no candidate, and the request's field is named."""

from __future__ import annotations

from app.domain.backend import Candidate, Capability
from app.domain.decision import Verdict
from app.domain.job import Job
from app.domain.mode import Conditions

_DOES = {
    Capability.CHAT: "answer a conversation",
    Capability.COMPLETE: "complete a text",
    Capability.EMBED: "make embeddings",
}


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    profile, model = candidate.profile, candidate.model
    honours = profile.honours.get(job.capability)
    if honours is None or job.capability not in (model.capabilities or profile.honours):
        return _reject(f"'{model.name}' on backend '{profile.id}' can't {_DOES[job.capability]}", "model")
    if job.has_images and model.sees is False:
        return _reject(f"'{model.name}' on backend '{profile.id}' takes no images", "messages")
    unmet = job.parameters - honours
    if not profile.passes_extras:
        unmet |= job.extras - honours
    if unmet:
        name = min(unmet)
        return _reject(f"backend '{profile.id}' ({profile.kind}) can't honour it", name)
    return None


def _reject(reason: str, param: str) -> Verdict:
    return Verdict("capability", reason, reject=True, param=param)
