"""A sensor that hangs from its first reading on."""

from __future__ import annotations

from app.thermal.sensor import Surroundings
from tests.fakes.sensor import ScriptedSensor, ScriptedSensorSettings


class StuckSensor(ScriptedSensor):
    """Until its gate is opened."""

    def __init__(self, settings: ScriptedSensorSettings, surroundings: Surroundings) -> None:
        super().__init__(settings, surroundings)
        self.gate.clear()
