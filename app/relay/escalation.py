"""Which larger models a doubted answer may be asked of, in order: by the policy's path, limits and budgets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from app.domain.backend import Hardware
from app.domain.decision import Decision, Precedence, Route
from app.domain.thermal import ThermalState
from app.relay.course import Course
from app.relay.destinations import Surroundings
from app.relay.doubt import Doubt
from app.routing.size import billions
from backends.lane import Lane

_WARM = (ThermalState.WARNING, ThermalState.CRITICAL, ThermalState.SHUTDOWN)
_BYTES_PER_TOKEN = 4


def larger(around: Surroundings, course: Course, doubt: Doubt) -> Iterator[tuple[Route, Lane]]:
    """Other models than those that were asked already; without a path, larger ones that the job's model stands for."""
    policy, here = doubt.policy, course.lane
    asked = {attempt.model for attempt in doubt.attempts} | {doubt.model}
    for name in policy.escalation_path or (None,):
        job = course.job if name is None else replace(course.job, model=name)
        decision = around.decide(job)
        for route in _allowed(decision, heat_counts=policy.respect_thermal_limits):
            lane = around.lanes.get(route.backend)
            if lane is None or route.model in asked or route.backend in course.failed | doubt.refused:
                continue
            if name is None and not _is_larger(route, lane, doubt.model, here):
                continue
            zone = around.zone(lane)
            if policy.respect_thermal_limits and zone is not None and zone.state in _WARM:
                continue
            if affordable(route, doubt):
                yield route, lane


def expected(route: Route, doubt: Doubt) -> tuple[float | None, float | None]:
    """Joules, and money, that an answer from there would take; None is unknown. What no cloud writes costs no money."""
    candidate, job = route.candidate, doubt.job
    learned, price = candidate.learned, candidate.profile.price
    limit = job.max_tokens
    length = learned.tokens if limit is None else min(limit, learned.tokens or limit)
    joules = None
    if learned.joules_per_token is not None and length is not None:
        joules = learned.joules_per_token * length
    elif candidate.watts is not None and (seconds := candidate.latency_seconds(stream=False, tokens=limit)) is not None:
        joules = candidate.watts * seconds
    if price is None:
        return joules, None if candidate.profile.hardware is Hardware.CLOUD else 0.0
    if length is None:
        return joules, None
    prompt, completion = price
    return joules, (job.prompt_bytes / _BYTES_PER_TOKEN * prompt + length * completion) / 1e6


def affordable(route: Route, doubt: Doubt) -> bool:
    """Whether the budgets allow it; what nobody can foresee is not allowed where there is a budget."""
    policy = doubt.policy
    joules, cost = expected(route, doubt)
    within_energy = policy.max_joules is None or (joules is not None and doubt.joules + joules <= policy.max_joules)
    return within_energy and (policy.max_cost is None or (cost is not None and doubt.cost + cost <= policy.max_cost))


def _allowed(decision: Decision, *, heat_counts: bool) -> Iterator[Route]:
    """The routes; then those that only the mode speaks against, if its limits of heat and noise are not to count."""
    yield from decision.routes
    if not heat_counts:
        for route in decision.rejected:
            if route.verdicts[-1].precedence is Precedence.MODE:
                yield route


def _is_larger(route: Route, lane: Lane, model: str, here: Lane) -> bool:
    """By the sizes in the models' names; by their backends' tiers where one does not say."""
    size, known = billions(route.model), billions(model)
    if size is not None and known is not None:
        return size > known
    return lane.profile.tier > here.profile.tier
