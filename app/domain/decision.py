"""Where a job goes, in order, and every opinion that led to it."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Route:
    """A candidate with what the rules said of it; `weightiest` is the opinion that counted most, if there was any."""

    candidate: Candidate
    verdicts: tuple[Verdict, ...]
    penalty: float
    weightiest: Verdict | None = None

    @property
    def backend(self) -> str:
        return self.candidate.profile.id

    @property
    def model(self) -> str:
        return self.candidate.model.name

    @property
    def rule(self) -> str:
        """Whose opinion counted most."""
        return self.weightiest.rule if self.weightiest is not None else "none"

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
