"""GET /health/live and /health/ready: open to all, since they tell nothing but yes or no."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import JSONResponse

from app.domain.backend import Health
from routers.deps import GatewayDep

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/ready", responses={503: {"description": "no backend can take a job, or some is still starting"}})
async def ready(gateway: GatewayDep) -> JSONResponse:
    """Every backend has been asked how it is, and some can take a job."""
    found = {lane.health() for lane in gateway.lanes.values()}
    able = Health.UNKNOWN not in found and not found.isdisjoint({Health.CLOSED, Health.HALF_OPEN})
    return JSONResponse({"status": "ready" if able else "not ready"}, status_code=200 if able else 503)
