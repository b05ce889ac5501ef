"""GET /admin/decisions and /admin/decisions/{request_id}."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.domain.errors import RequestError
from routers.deps import AdminOnly, GatewayDep

router = APIRouter(dependencies=[AdminOnly], prefix="/admin/decisions", tags=["admin"])


class DecisionNotFoundError(RequestError):
    """Too old, or never made."""

    status = 404


@router.get("")
async def list_decisions(gateway: GatewayDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, Any]:
    """The newest first."""
    newest = islice(gateway.decisions.newest(), limit)
    return {"object": "list", "data": [record.describe() for record in newest]}


@router.get("/{request_id}")
async def get_decision(request_id: str, gateway: GatewayDep) -> dict[str, Any]:
    """One request's routes, verdicts, failed attempts and outcome."""
    record = gateway.decisions.find(request_id)
    if record is None:
        raise DecisionNotFoundError("There is no decision with this request id, or not any more.", code="not_found")
    return record.describe()
