"""Where a job goes, in order, and every opinion that led to it."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from app.domain.backend import Candidate


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's opinion of one candidate: a rejection, or a penalty (more is worse), with its reason.

    `param` names the request field that made a rejection, where the caller could mend it by leaving it out.
    """

    rule: str
    reason: str
    penalty: float = 0.0
    reject: bool = False
    param: str | None = None


_penalty = attrgetter("penalty")


@dataclass(frozen=True, slots=True)
class Route:
    """A candidate with what the rules said of it."""

    candidate: Candidate
    verdicts: tuple[Verdict, ...]
    penalty: float

    @property
    def backend(self) -> str:
        return self.candidate.profile.id

    @property
    def model(self) -> str:
        return self.candidate.model.name

    @property
    def weightiest(self) -> Verdict | None:
        """The opinion that counted most, None when nothing speaks against it."""
        return max(self.verdicts, key=_penalty) if len(self.verdicts) > 1 else self.verdicts[0] if self.verdicts else None

    @property
    def rule(self) -> str:
        """Whose opinion that was."""
        verdict = self.weightiest
        return verdict.rule if verdict is not None else "none"

    @property
    def reason(self) -> str:
        """That opinion, in words."""
        verdict = self.weightiest
        return f"{verdict.rule}: {verdict.reason}" if verdict is not None else "nothing speaks against it"


@dataclass(frozen=True, slots=True)
class Decision:
    """The routes to try, best first, and those that were rejected."""

    routes: tuple[Route, ...]
    rejected: tuple[Route, ...] = ()
