"""A sensor that says what its test wants, or nothing at all."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.domain.thermal import Reading
from app.thermal.sensor import SensorSettings, Surroundings

_LONGEST_SECONDS = 30.0


class ScriptedSensor:
    """`says` makes its readings, and may raise whatever a sensor might. While `stuck` it hangs, for 30 s at most."""

    Settings = SensorSettings

    def __init__(self, settings: SensorSettings, surroundings: Surroundings) -> None:
        self.says: Callable[[float], Reading] = lambda now: Reading(now, celsius=40.0, fan_percent=20.0)
        self._free = threading.Event()
        self._free.set()
        self.hangs = threading.Event()

    def hang(self) -> None:
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def read(self, now: float) -> Reading:
        if not self._free.is_set():
            self.hangs.set()
            self._free.wait(_LONGEST_SECONDS)
        return self.says(now)

    def close(self) -> None:
        """There is nothing to let go of."""


class StuckSensor(ScriptedSensor):
    """Hangs from its first reading on."""

    def __init__(self, settings: SensorSettings, surroundings: Surroundings) -> None:
        super().__init__(settings, surroundings)
        self.hang()
