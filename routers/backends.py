"""GET /admin/backends."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from routers.deps import AdminOnly, GatewayDep

router = APIRouter(dependencies=[AdminOnly], prefix="/admin/backends", tags=["admin"])


@router.get("")
async def list_backends(gateway: GatewayDep) -> dict[str, Any]:
    """Every backend as it stands: health, places, models, what was learned of it."""
    return {"object": "list", "data": [lane.describe() for lane in gateway.lanes.values()]}
