"""Which backends to try for a job, best first. Touches nothing: all that it knows comes in as arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from app.domain.backend import Candidate
from app.domain.decision import Decision, Route, Verdict
from app.domain.errors import BadRequestError, IsothermError, ModelNotFoundError, NoRouteError
from app.domain.job import Job
from app.routing.rule import Rule

_penalty = attrgetter("penalty")


def decide(job: Job, candidates: Iterable[Candidate], rules: Sequence[Rule], absent: Iterable[Route] = ()) -> Decision:
    """Ask every rule about every candidate. Routes with equal penalties stay in the order they came in.

    `absent` are rejections that are known already: they need no second opinion.
    """
    routes: list[Route] = []
    rejected = list(absent)
    for candidate in candidates:
        route = _judged(job, candidate, rules)
        (rejected if route.verdicts and route.verdicts[-1].reject else routes).append(route)
    if len(routes) > 1:
        routes.sort(key=_penalty)
    return Decision(tuple(routes), tuple(rejected))


def _judged(job: Job, candidate: Candidate, rules: Sequence[Rule]) -> Route:
    """The candidate with all opinions of it, up to the first rejection."""
    verdicts: list[Verdict] = []
    penalty = 0.0
    weightiest: Verdict | None = None
    for rule in rules:
        verdict = rule(job, candidate)
        if verdict is None:
            continue
        verdicts.append(verdict)
        if verdict.reject:
            return Route(candidate, tuple(verdicts), penalty, verdict)
        penalty += verdict.penalty
        if weightiest is None or verdict.penalty > weightiest.penalty:
            weightiest = verdict
    return Route(candidate, tuple(verdicts), penalty, weightiest)


def why_no_route(job: Job, decision: Decision) -> IsothermError:
    """The error for a decision without a route: the caller's where the caller can mend it, ours where not."""
    ends = [(route, route.verdicts[-1]) for route in decision.rejected if route.candidate.serves]
    if not ends:
        return ModelNotFoundError(job.model)
    ours = [(route, verdict) for route, verdict in ends if verdict.param is None]
    if not ours:
        verdict = ends[0][1]
        code = "context_length_exceeded" if verdict.rule == "context-fits" else "unsupported_parameter"
        return BadRequestError(f"'{verdict.param}': {verdict.reason}", param=verdict.param, code=code)
    reasons = "; ".join(f"{route.backend}: {verdict.reason}" for route, verdict in ours)
    retry = min(route.candidate.retry_seconds for route, _ in ours)
    return NoRouteError(
        f"Nothing can answer for '{job.model}' now ({reasons}).", retry_after_seconds=min(max(retry, 1.0), 60.0)
    )
