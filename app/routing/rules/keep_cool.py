"""A zone that is critical gets no new work; one that is warm gets it last, the hotter the later."""

from __future__ import annotations

from app.domain.backend import Candidate
from app.domain.decision import Precedence, Verdict
from app.domain.job import Job
from app.domain.mode import Conditions
from app.domain.thermal import ThermalState, Zone
from app.routing.weights import DOUBTFUL, HEAT, WARM


def judge(job: Job, candidate: Candidate, conditions: Conditions) -> Verdict | None:  # noqa: ARG001 (all are asked alike)
    zone = candidate.zone
    if zone is None or zone.state is ThermalState.NOMINAL:
        return None
    if zone.state is ThermalState.WARNING:
        return Verdict("keep-cool", _words(zone), penalty=max(WARM, HEAT * _share(zone) ** 2))
    if zone.state is not ThermalState.UNKNOWN:
        return Verdict("keep-cool", _words(zone), reject=True, precedence=Precedence.SAFETY)
    if zone.avoid_unknown:
        return Verdict("keep-cool", f"nobody knows how hot zone '{zone.id}' is", penalty=DOUBTFUL)
    return None


def _share(zone: Zone) -> float:
    """0 at the warning point and below, 1 at the critical point."""
    if zone.celsius is None:
        return 0.0
    span = zone.trips.critical - zone.trips.warning
    return max(0.0, zone.celsius - zone.trips.warning) / span if span > 0 else 1.0


def _words(zone: Zone) -> str:
    words = f"zone '{zone.id}' is {'at its shutdown point' if zone.state is ThermalState.SHUTDOWN else zone.state}"
    if zone.celsius is not None and zone.headroom is not None:
        side = "below" if zone.headroom >= 0 else "above"
        words += f": {zone.celsius:.1f} °C, {abs(zone.headroom):.1f} {side} critical"
    if zone.reading is not None and zone.reading.throttling:
        words += ", slowed down by heat"
    return words
