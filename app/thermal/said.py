"""A reading as a person's program or file writes it: every field optional, every unit in its name."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.domain.thermal import Battery, Reading
from app.thermal.sensor import SensorLostError

_Celsius = Annotated[float, Field(ge=-100, le=1000)]
_Amount = Annotated[float, Field(ge=0)]
_Percent = Annotated[float, Field(ge=0, le=100)]
_Bytes = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SaidBattery(_Strict):
    """As `app.domain.thermal.Battery`."""

    percent: _Percent
    plugged: bool
    watts: _Amount | None = None


class Said(_Strict):
    """As `app.domain.thermal.Reading`, but for what only a sensor can know: when it was, and whether it is measured."""

    celsius: _Celsius | None = None
    watts: _Amount | None = None
    joules: _Amount | None = None
    fan_percent: _Percent | None = None
    fan_rpm: _Amount | None = None
    utilisation: Annotated[float, Field(ge=0, le=1)] | None = None
    megahertz: _Amount | None = None
    memory_used_bytes: _Bytes | None = None
    memory_total_bytes: _Bytes | None = None
    throttling: bool | None = None
    battery: SaidBattery | None = None
    limit_slowdown_celsius: _Celsius | None = None
    limit_shutdown_celsius: _Celsius | None = None

    def reading(self, at: float, *, modelled: bool = False) -> Reading:
        values: dict[str, Any] = self.model_dump(exclude={"battery"})
        battery = None if self.battery is None else Battery(**self.battery.model_dump())
        return Reading(at=at, battery=battery, modelled=modelled, **values)


def lost(error: ValidationError) -> SensorLostError:
    """The first thing that is wrong, in a sentence: which field, and what about it."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return SensorLostError(f"{name}: a reading has no such field")
    words = first["msg"][:1].lower() + first["msg"][1:]
    return SensorLostError(f"{name}: {words}" if name else words)
