"""GET and PUT /admin/mode: the efficiency mode."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from app.domain.errors import BadRequestError
from app.gateway import Gateway
from app.routing.modes import AUTO
from routers.deps import AdminOnly, GatewayDep

logger = logging.getLogger(__name__)

router = APIRouter(dependencies=[AdminOnly], prefix="/admin/mode", tags=["admin"])


class ModeChoice(BaseModel):
    """What PUT takes."""

    model_config = ConfigDict(extra="forbid")

    mode: str


def describe_mode(gateway: Gateway) -> dict[str, Any]:
    """The mode that was chosen, the one in force and why, and what each of them allows."""
    thermostat = gateway.thermostat
    conditions = thermostat.conditions
    return {
        "mode": thermostat.mode,
        "in_force": conditions.mode.name,
        "why": conditions.why,
        "watts_left": None if conditions.watts_left is None else round(conditions.watts_left, 1),
        "modes": [
            {
                "name": mode.name,
                "order": mode.order,
                "max_watts": mode.max_watts,
                "max_fan_percent": mode.max_fan_percent,
                "max_celsius": mode.max_celsius,
            }
            for mode in thermostat.regime.modes.values()
        ],
    }


@router.get("")
async def get_mode(gateway: GatewayDep) -> dict[str, Any]:
    """The efficiency mode: the one chosen, the one in force and why, and what each allows."""
    return describe_mode(gateway)


@router.put("")
async def set_mode(choice: ModeChoice, gateway: GatewayDep) -> dict[str, Any]:
    """Choose a mode, or auto, from the next request on."""
    thermostat = gateway.thermostat
    names = (*thermostat.regime.modes, AUTO)
    if choice.mode not in names:
        raise BadRequestError(
            f"There is no mode '{choice.mode}'; there are {', '.join(names)}.", param="mode", code="invalid_value"
        )
    thermostat.choose(choice.mode)
    return describe_mode(gateway)
