"""GET /metrics, in Prometheus' text format."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from app.telemetry.exposition import expose
from routers.deps import AdminOnly, GatewayDep

router = APIRouter(dependencies=[AdminOnly], tags=["metrics"])


@router.get("/metrics", response_class=Response)
async def metrics(gateway: GatewayDep) -> Response:
    """Counters and gauges as they stand."""
    thermostat = gateway.thermostat
    text = expose(
        gateway.metrics,
        gateway.lanes.values(),
        thermostat.zones.values(),
        thermostat.conditions.mode.name,
        thermostat.regime.modes,
    )
    return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})
