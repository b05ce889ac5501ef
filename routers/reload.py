"""POST /admin/reload."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from routers.deps import AdminOnly, ServingDep

router = APIRouter(dependencies=[AdminOnly], prefix="/admin/reload", tags=["admin"])


@router.post("")
async def reload(serving: ServingDep) -> dict[str, Any]:
    """Read the configuration again. One that is wrong is refused with its path, and the old one goes on."""
    gateway = await serving.reload()
    return {"status": "reloaded", "backends": sorted(gateway.lanes)}
