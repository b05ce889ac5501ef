"""GET /v1/models and /v1/models/{id}: from memory, so they answer at once even when a backend is dead."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.domain.errors import ModelNotFoundError
from routers.deps import ClientDep, GatewayDep

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("")
async def list_models(gateway: GatewayDep, client: ClientDep) -> dict[str, Any]:
    """Every served model and every alias that this key may use."""
    names = gateway.directory.names()
    return {"object": "list", "data": [_model(name, *names[name]) for name in names if client.may_ask_for(name)]}


@router.get("/{model:path}")
async def get_model(model: str, gateway: GatewayDep, client: ClientDep) -> dict[str, Any]:
    """One of them."""
    names = gateway.directory.names()
    if model not in names or not client.may_ask_for(model):
        raise ModelNotFoundError(model)
    return _model(model, *names[model])


def _model(name: str, owner: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}
