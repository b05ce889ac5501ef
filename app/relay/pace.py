"""The last resort against heat: a warm backend that nothing cooler can stand in for works only part of the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.domain.decision import Decision, Precedence, Route
from app.domain.thermal import ThermalState, Zone
from backends.lane import Lane

_WARM = (ThermalState.WARNING, ThermalState.CRITICAL, ThermalState.SHUTDOWN)


def duty(zone: Zone, least: float) -> float:
    """The share of time to work: all up to the warning point, `least` from the critical one on, linear between."""
    celsius, trips = zone.celsius, zone.trips
    if zone.state not in _WARM:
        return 1.0
    if celsius is None or zone.state is not ThermalState.WARNING:
        return least
    way = (celsius - trips.warning) / (trips.critical - trips.warning)
    return min(1.0, max(least, 1.0 - way))


def pace(
    running: Iterable[tuple[Route, Decision]], lanes: Mapping[str, Lane], zones: Mapping[str, Zone], least: float
) -> None:
    """Tell each lane how much to work: less while it is warm and some answer of its has nowhere cooler to be."""
    bound = {route.backend for route, decision in running if _nothing_cooler(route, decision, zones)}
    for name, lane in lanes.items():
        zone = zones.get(lane.profile.zone or "")
        lane.pace(duty(zone, least) if zone is not None and name in bound else 1.0)


def _nothing_cooler(route: Route, decision: Decision, zones: Mapping[str, Zone]) -> bool:
    here = zones.get(route.candidate.profile.zone or "")
    if here is None or here.state not in _WARM:
        return False
    for other in (*decision.routes, *filter(_only_hot, decision.rejected)):
        there = zones.get(other.candidate.profile.zone or "")
        if there is None or there.cooler_than(here):
            return False
    return True


def _only_hot(rejected: Route) -> bool:
    """Whether it was heat, not what it is or what is allowed, that spoke against it: it may have cooled since."""
    return rejected.verdicts[-1].precedence in (Precedence.SAFETY, Precedence.DEFAULT)
