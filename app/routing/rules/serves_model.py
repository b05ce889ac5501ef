"""A backend that does not have the model can't serve it; of an alias' models the first named is best."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Verdict
from app.domain.job import Job

_PENALTY_PER_PLACE = 10.0  # a later choice of the alias is a last resort, whatever its tier
_PENALTY_NOT_PREFERRED = 0.25


def judge(job: Job, candidate: Candidate) -> Verdict | None:
    name, patterns = candidate.model.name, candidate.profile.patterns
    if not candidate.serves:
        return Verdict("serves-model", f"does not serve '{name}'", reject=True)
    if candidate.preference:
        place = candidate.preference + 1
        penalty = _PENALTY_PER_PLACE * candidate.preference
        return Verdict("serves-model", f"'{name}' is choice {place} for '{job.model}'", penalty=penalty)
    if patterns.preferred and not patterns.prefer(name):
        return Verdict("serves-model", f"'{name}' is not among its preferred models", penalty=_PENALTY_NOT_PREFERRED)
    return None
