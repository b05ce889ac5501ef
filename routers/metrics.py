"""GET /metrics, in Prometheus' text format."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from routers.deps import AdminOnly, GatewayDep

router = APIRouter(dependencies=[AdminOnly], tags=["metrics"])


@router.get("/metrics", response_class=Response)
async def metrics(gateway: GatewayDep) -> Response:
    """Counters and gauges as they stand."""
    return Response(gateway.metrics.expose(gateway.lanes.values()), headers={"content-type": CONTENT_TYPE_LATEST})
