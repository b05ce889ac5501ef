"""A thermal model in place of a thermometer, heated by the work that the zone's backends really do.

First order (Newton's law of cooling): with P watts the temperature goes to ambient + resistance * P, and covers
1 - 1/e of the way in one time constant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from app.domain.thermal import Battery, Reading
from app.thermal.sensor import SensorSettings, Surroundings


class SimulatedSettings(SensorSettings):
    """A machine that is not there."""

    kind: str = Field("simulated", description="how it is measured")
    busy_seconds: float = Field(0.25, gt=0, le=3600, description="between two readings while its zone is warm or busy")
    idle_seconds: float = Field(0.5, gt=0, le=3600, description="between two readings otherwise")
    celsius: float | None = Field(None, ge=-40, le=150, description="stays that hot, instead of going by the model")
    ambient_celsius: float = Field(25, ge=-40, le=60, description="degrees around it, and at the start")
    kelvin_per_watt: float = Field(0.5, gt=0, le=100, description="thermal resistance: degrees above ambient a watt")
    time_constant_seconds: float = Field(60, gt=0, le=86_400, description="for 63 % of the way to where it goes")
    idle_watts: float = Field(0, ge=0, le=10_000, description="drawn without any work")
    fan_percent: float | None = Field(None, ge=0, le=100, description="how fast its fan turns")
    battery_percent: float | None = Field(None, ge=0, le=100, description="charge of its battery, if it has one")
    plugged: bool = Field(True, description="whether its battery is being charged")


class SimulatedSensor:
    """Its watts are those that the configuration gives to the backends, for the time that they worked."""

    Settings = SimulatedSettings

    def __init__(self, settings: SimulatedSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._work = surroundings.work
        self._at: float | None = None
        self._celsius = settings.ambient_celsius
        self._joules = 0.0
        self._seen: dict[str, float] = {}
        self.held: Mapping[str, Any] = {}

    def hold(self, values: Mapping[str, Any]) -> None:
        """Fields of a reading that stay so; None lets one go."""
        held = {**self.held, **values}
        self.held = {name: value for name, value in held.items() if value is not None}

    def read(self, now: float) -> Reading:
        settings, held = self._settings, self.held
        watts = self._advance(now, held.get("watts"))
        fixed = settings.celsius if settings.celsius is not None else self._celsius
        percent = held.get("battery_percent", settings.battery_percent)
        return Reading(
            at=now,
            celsius=held.get("celsius", fixed),
            watts=watts,
            joules=self._joules,
            fan_percent=held.get("fan_percent", settings.fan_percent),
            throttling=held.get("throttling", False),
            battery=None if percent is None else Battery(percent, held.get("plugged", settings.plugged)),
            modelled=True,
        )

    def close(self) -> None:
        """There is nothing to let go of."""

    def _advance(self, now: float, held_watts: float | None) -> float:
        """Heat and cool up to now; the mean watts since the last time, or those that it is held at."""
        worked = self._new_work(now)
        seconds = 0.0 if self._at is None else now - self._at
        self._at = now
        if seconds <= 0:
            return self._settings.idle_watts if held_watts is None else held_watts
        joules = worked + self._settings.idle_watts * seconds if held_watts is None else held_watts * seconds
        self._joules += joules
        target = self._settings.ambient_celsius + self._settings.kelvin_per_watt * joules / seconds
        self._celsius = target + (self._celsius - target) * math.exp(-seconds / self._settings.time_constant_seconds)
        return joules / seconds

    def _new_work(self, now: float) -> float:
        """Joules that the backends' work took since the last time; one without watts heats nothing that is known."""
        joules = 0.0
        for work in self._work(now):
            since = self._seen.get(work.backend, 0.0)
            if work.watts is not None and work.busy_seconds > since:
                joules += work.watts * (work.busy_seconds - since)
            self._seen[work.backend] = work.busy_seconds
        return joules
