"""Which backends to try for a job, best first. Touches nothing: all that it knows comes in as arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter

from app.domain.backend import Candidate
from app.domain.decision import Decision, Precedence, Route, Verdict
from app.domain.errors import BadRequestError, IsothermError, ModelNotFoundError, NoRouteError
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.limit import MOST
from app.routing.rule import Rule
from app.routing.weights import RELAXED

_penalty = attrgetter("penalty")

# When something may have changed, by who said no: zones cool in seconds, modes change in minutes.
_RETRY_SECONDS = {Precedence.SAFETY: 10.0, Precedence.MODE: 60.0, Precedence.REQUEST: 60.0}


def decide(
    job: Job,
    candidates: Sequence[Candidate],
    conditions: Conditions,
    rules: Sequence[Rule],
    absent: Iterable[Route] = (),
) -> Decision:
    """Ask every rule about every candidate. Routes with equal penalties stay in the order they came in.

    Where that leaves no route, rejections give way, the least important first, until one is left: defaults always, the
    limits of the request and then of the mode if the conditions relax them, what is impossible or unsafe never.
    `absent` are rejections that are known already: they need no second opinion.
    """
    routes, rejected = _ask(job, candidates, conditions, rules, None)
    relaxed = None
    while not routes and (yielding := _first_to_yield(rejected, conditions.relax)) is not None:
        relaxed = yielding
        routes, rejected = _ask(job, candidates, conditions, rules, relaxed)
    if len(routes) > 1:
        routes.sort(key=_penalty)
    return Decision(tuple(routes), (*absent, *rejected), conditions.mode.name, relaxed)


def _first_to_yield(rejected: Iterable[Route], relax: bool) -> Precedence | None:
    last = Precedence.MODE if relax else Precedence.DEFAULT
    found = {route.verdicts[-1].precedence for route in rejected}
    return max((precedence for precedence in found if precedence >= last), default=None)


def _ask(
    job: Job, candidates: Iterable[Candidate], conditions: Conditions, rules: Sequence[Rule], relaxed: Precedence | None
) -> tuple[list[Route], list[Route]]:
    routes: list[Route] = []
    rejected: list[Route] = []
    for candidate in candidates:
        route = _judged(job, candidate, conditions, rules, relaxed)
        (rejected if route.verdicts and route.verdicts[-1].reject else routes).append(route)
    return routes, rejected


def _judged(
    job: Job, candidate: Candidate, conditions: Conditions, rules: Sequence[Rule], relaxed: Precedence | None
) -> Route:
    """The candidate with all opinions of it, up to the first rejection that does not give way."""
    verdicts: list[Verdict] = []
    penalty = 0.0
    weightiest: Verdict | None = None
    gave_way: Verdict | None = None
    for rule in rules:
        verdict = rule(job, candidate, conditions)
        if verdict is None:
            continue
        if verdict.reject:
            if relaxed is None or verdict.precedence < relaxed:
                verdicts.append(verdict)
                return Route(candidate, tuple(verdicts), penalty, verdict)
            verdict = _give_way(verdict)
            if gave_way is None or verdict.penalty > gave_way.penalty:
                gave_way = verdict
        verdicts.append(verdict)
        penalty += verdict.penalty
        if weightiest is None or verdict.penalty > weightiest.penalty:
            weightiest = verdict
    return Route(candidate, tuple(verdicts), penalty, gave_way or weightiest)


def _give_way(verdict: Verdict) -> Verdict:
    """The rejection as a penalty, the larger the further the candidate is beyond the limit."""
    penalty = RELAXED + RELAXED / MOST * min(verdict.penalty, MOST)
    return replace(verdict, reason=f"gave way, nothing else is left: {verdict.reason}", penalty=penalty, reject=False)


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
    retry = min(_RETRY_SECONDS.get(verdict.precedence, route.candidate.retry_seconds) for route, verdict in ours)
    return NoRouteError(
        f"Nothing can answer for '{job.model}' now ({reasons}).", retry_after_seconds=min(max(retry, 1.0), 60.0)
    )
