"""GET /admin/zones, and PUT /admin/zones/{id} for simulated ones."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.domain.errors import BadRequestError, RequestError
from app.domain.thermal import Battery, Zone
from app.gateway import Gateway
from app.thermal.watched import WatchedZone
from routers.deps import AdminOnly, GatewayDep

router = APIRouter(dependencies=[AdminOnly], prefix="/admin/zones", tags=["admin"])

Percent = Annotated[float, Field(ge=0, le=100)]


class ZoneNotFoundError(RequestError):
    """No zone of the configuration."""

    status = 404


class Held(BaseModel):
    """What a simulated zone is to measure from now on; null lets go, and what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    celsius: Annotated[float, Field(ge=-40, le=150)] | None = None
    watts: Annotated[float, Field(ge=0, le=10_000)] | None = None
    fan_percent: Percent | None = None
    throttling: bool | None = None
    battery_percent: Percent | None = None
    plugged: bool | None = None


def describe_zones(gateway: Gateway, *, history: bool = False) -> list[dict[str, Any]]:
    """Every zone as it stands; null is unknown."""
    now = gateway.clock()
    return [_described(watched, gateway, now, history) for watched in gateway.thermostat.monitor.watched.values()]


@router.get("")
async def list_zones(gateway: GatewayDep, history: Annotated[bool, Query()] = False) -> dict[str, Any]:
    """Every zone: its state, its readings, where it is going; `history=true` adds the last minutes."""
    return {"object": "list", "data": describe_zones(gateway, history=history)}


@router.get("/{zone_id}")
async def get_zone(zone_id: str, gateway: GatewayDep) -> dict[str, Any]:
    """One zone, with the last minutes of its temperature."""
    return _described(_find(gateway, zone_id), gateway, gateway.clock(), history=True)


@router.put("/{zone_id}")
async def set_zone(zone_id: str, held: Held, gateway: GatewayDep) -> dict[str, Any]:
    """Hold a simulated zone at a temperature (or watts, fan, battery); null lets it go its own way again."""
    watched = _find(gateway, zone_id)
    if watched.settable() is None:
        raise BadRequestError(
            f"Zone '{zone_id}' is measured: only a simulated one can be set.", param="zone", code="zone_not_settable"
        )
    gateway.thermostat.hold(zone_id, held.model_dump(exclude_unset=True))
    return _described(watched, gateway, gateway.clock(), history=False)


def _find(gateway: Gateway, zone_id: str) -> WatchedZone:
    watched = gateway.thermostat.monitor.watched.get(zone_id)
    if watched is None:
        raise ZoneNotFoundError(f"There is no zone '{zone_id}'.", code="zone_not_found")
    return watched


def _described(watched: WatchedZone, gateway: Gateway, now: float, history: bool) -> dict[str, Any]:
    zone, sensor = watched.zone, watched.settable()
    told = {
        "id": zone.id,
        "state": zone.state,
        "seconds_in_state": round(now - zone.since, 1),
        **_measured(zone, now),
        "headroom_celsius": _rounded(zone.headroom),
        "headroom_celsius_in_60_seconds": _rounded(zone.headroom_in(60)),
        "seconds_until_critical": _rounded(zone.seconds_until_critical()),
        "trips": {
            "warning": zone.trips.warning,
            "critical": zone.trips.critical,
            "shutdown": zone.trips.shutdown,
            "hysteresis": zone.trips.hysteresis,
        },
        "unknown": "avoid" if zone.avoid_unknown else "allow",
        "sensors": [
            {"kind": poller.settings.kind, "lost": lost}
            for poller, lost in zip(watched.pollers, watched.lost, strict=True)
        ],
        "backends": [lane.profile.id for lane in gateway.lanes.values() if lane.profile.zone == zone.id],
        "settable": sensor is not None,
        "held": dict(sensor.held) if sensor is not None and sensor.held else None,
    }
    if history:
        told["history"] = [[round(now - at, 2), round(celsius, 2)] for at, celsius in watched.curve.points()]
    return told


def _measured(zone: Zone, now: float) -> dict[str, Any]:
    reading = zone.reading
    if reading is None:
        return dict.fromkeys(_MEASURED)
    values = {name: getattr(reading, name) for name in _NUMBERS}
    return {
        **{name: _rounded(value) for name, value in values.items()},
        "noise": zone.noise,
        "throttling": reading.throttling,
        "battery": _battery(reading.battery),
        "age_seconds": round(now - reading.at, 2),
        "modelled": reading.modelled,
        "asleep": reading.asleep,
    }


_NUMBERS = (
    *("celsius", "watts", "joules", "fan_percent", "fan_rpm", "utilisation", "megahertz"),
    *("memory_used_bytes", "memory_total_bytes"),
)
_MEASURED = (*_NUMBERS, "noise", "throttling", "battery", "age_seconds", "modelled", "asleep")


def _battery(battery: Battery | None) -> dict[str, Any] | None:
    if battery is None:
        return None
    return {"percent": _rounded(battery.percent), "plugged": battery.plugged, "watts": _rounded(battery.watts)}


def _rounded(value: float | None) -> float | None:
    return value if value is None or isinstance(value, int) else round(value, 2)
