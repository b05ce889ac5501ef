"""Where a job goes, in order, and every opinion that led to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from app.domain.backend import Candidate


class Precedence(IntEnum):
    """Who said no: what stands further up wins, and what stands at the bottom gives way first.

    `CANNOT` and `SAFETY` (it can't be done, or would harm) never give way. The limits of the mode and of the request do
    when they leave nothing and the configuration relaxes them. A default always does.
    """

    CANNOT = 0
    SAFETY = 1
    MODE = 2
    REQUEST = 3
    DEFAULT = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's opinion of one candidate: a rejection, or a penalty (more is worse), with its reason.

    `param` names the request field that made a rejection, where the caller could mend it by leaving it out.
    `precedence` is that of a rejection; its `penalty` is how far the candidate is beyond a limit that gave way.
    """

    rule: str
    reason: str
    penalty: float = 0.0
    reject: bool = False
    param: str | None = None
    precedence: Precedence = Precedence.CANNOT


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
    """The routes to try, best first, and those that were rejected.

    `mode` is the efficiency mode that it was made in. `relaxed` says that rejections down to this precedence gave way,
    because nothing else was left.
    """

    routes: tuple[Route, ...]
    rejected: tuple[Route, ...] = ()
    mode: str = ""
    relaxed: Precedence | None = None

    def why(self, route: Route) -> str:
        """In words: the opinion of it that counted most, what sets the next one back, what put others out."""
        said = [route.reason]
        behind = [other for other in self.routes if other.penalty > route.penalty]
        if behind:
            against = _most_against(behind[0], route)
            said.append(f"before {behind[0].backend}: {against.rule}: {against.reason}")
        out = [other for other in self.rejected if other.candidate.serves and other.backend != route.backend]
        return "; ".join([*said, *(f"not {other.backend}: {other.reason}" for other in out)])


def _most_against(worse: Route, better: Route) -> Verdict:
    """The opinion that sets the worse one back most."""
    known = {verdict.rule: verdict.penalty for verdict in better.verdicts}
    return max(worse.verdicts, key=lambda verdict: verdict.penalty - known.get(verdict.rule, 0.0))
