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


@router.get("/ready", responses={503: {"description": "no backend can take a job yet"}})
async def ready(gateway: GatewayDep) -> JSONResponse:
    """Some backend can take a job."""
    able = any(lane.health() in (Health.CLOSED, Health.HALF_OPEN) for lane in gateway.lanes.values())
    return JSONResponse({"status": "ready" if able else "starting"}, status_code=200 if able else 503)
