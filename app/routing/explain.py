"""A decision in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from app.domain.decision import Decision, Route


def explain(decision: Decision) -> str:
    """Routes in the order in which they would be tried, then those that were rejected."""
    return "".join(f"{line}\n" for line in _lines(decision))


def _lines(decision: Decision) -> Iterator[str]:
    for place, route in enumerate(decision.routes, start=1):
        yield f"{place}. {route.backend} with {route.model}: penalty {route.penalty:g}"
        yield from _verdicts(route)
    for route in decision.rejected:
        yield f"-  {route.backend} with {route.model}: rejected"
        yield from _verdicts(route)


def _verdicts(route: Route) -> Iterator[str]:
    for verdict in route.verdicts:
        weight = "rejects" if verdict.reject else f"+{verdict.penalty:g}"
        yield f"      {verdict.rule:13} {weight:8} {verdict.reason}"
