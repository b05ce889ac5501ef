"""A decision in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from app.domain.decision import Decision, Precedence, Route

_LIMITS = {
    Precedence.DEFAULT: "the defaults",
    Precedence.REQUEST: "the request's limits",
    Precedence.MODE: "the mode's limits",
}


def explain(decision: Decision) -> str:
    """The mode, routes in the order in which they would be tried, then those that were rejected."""
    return "".join(f"{line}\n" for line in _lines(decision))


def _lines(decision: Decision) -> Iterator[str]:
    if decision.mode:
        yield f"mode {decision.mode}"
    if decision.relaxed is not None:
        yield f"nothing was left, so {_LIMITS[decision.relaxed]} gave way"
    for place, route in enumerate(decision.routes, start=1):
        yield f"{place}. {route.backend} with {route.model}: penalty {_number(route.penalty)}"
        yield from _verdicts(route)
    for route in decision.rejected:
        yield f"-  {route.backend} with {route.model}: rejected"
        yield from _verdicts(route)


def _verdicts(route: Route) -> Iterator[str]:
    for verdict in route.verdicts:
        weight = "rejects" if verdict.reject else f"+{_number(verdict.penalty)}"
        yield f"      {verdict.rule:14} {weight:9} {verdict.reason}"


def _number(penalty: float) -> str:
    return f"{round(penalty, 2):.12g}"
