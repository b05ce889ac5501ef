"""A backend that does not have the model can't serve it; of an alias' models the first named is best."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Route, Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.weights import ALIAS_PLACE, NOT_PREFERRED


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    if not candidate.serves:
        return _does_not_serve(candidate)
    name, patterns = candidate.model.name, candidate.profile.patterns
    if candidate.preference:
        place = candidate.preference + 1
        penalty = ALIAS_PLACE * candidate.preference
        return Verdict("serves-model", f"'{name}' is choice {place} for '{job.model}'", penalty=penalty)
    if patterns.preferred and not patterns.prefer(name):
        return Verdict("serves-model", f"'{name}' is not among its preferred models", penalty=NOT_PREFERRED)
    return None


def absent(candidate: Candidate) -> Route:
    """The rejection of a backend that does not have the model: so under all conditions, whatever the job."""
    verdict = _does_not_serve(candidate)
    return Route(candidate, (verdict,), 0.0, verdict)


def _does_not_serve(candidate: Candidate) -> Verdict:
    return Verdict("serves-model", f"does not serve '{candidate.model.name}'", reject=True)
