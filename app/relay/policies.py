"""Which answers are judged, and which policy of forwarding holds for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from app.confidence.judge import Judge
from app.domain.backend import Capability, Profile
from app.domain.confidence import NO_FORWARDING, Attempt, Forwarding
from app.domain.job import Job
from app.relay.doubt import Doubt

_TEXTS = (Capability.CHAT, Capability.COMPLETE)


class Estimates(StrEnum):
    """Whose answers are estimated although nothing is to follow from it: of backends that the gateway runs, or all."""

    LOCAL = "local"
    ALWAYS = "always"
    NEVER = "never"


_BUDGETS = ("max_joules", "max_cost")


@dataclass(frozen=True, slots=True)
class Policies:
    """`by_name` are globs of the models and aliases that are asked for; the first that fits counts."""

    judge: Judge
    estimates: Estimates = Estimates.LOCAL
    by_name: Mapping[str, Forwarding] = field(default_factory=dict)

    def of(self, job: Job) -> Forwarding:
        """What the configuration says for the name that was asked for, and the request on top of it."""
        policy = next((each for name, each in self.by_name.items() if fnmatchcase(job.model, name)), NO_FORWARDING)
        wishes = job.wishes.forwarding
        return policy if not wishes else replace(policy, **{**wishes, **_budgets(policy, wishes)})

    def doubt(self, job: Job, profile: Profile, policy: Forwarding, attempts: list[Attempt]) -> Doubt | None:
        """None where nobody judges: several choices, and work that nobody waits for, are as good as they are."""
        if job.choices > 1 or job.background or job.capability not in _TEXTS:
            return None
        local = self.estimates is Estimates.LOCAL and profile.managed
        if policy.min_confidence is None and self.estimates is not Estimates.ALWAYS and not local:
            return None
        return Doubt(policy, self.judge, job, attempts)


def _budgets(policy: Forwarding, wishes: Mapping[str, Any]) -> dict[str, float | None]:
    """The smaller of both: a request can't give itself more than the configuration does."""
    told = {name: [each for each in (getattr(policy, name), wishes.get(name)) if each is not None] for name in _BUDGETS}
    return {name: min(limits, default=None) for name, limits in told.items()}
