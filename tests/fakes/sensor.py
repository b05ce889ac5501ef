"""A sensor in memory that says what a script tells it to.

`kind: tests.fakes.sensor:ScriptedSensor` brings it in by the same door as a user's own kind.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from app.domain.thermal import Reading
from app.thermal.sensor import SensorSettings, Surroundings

KIND = "tests.fakes.sensor:ScriptedSensor"


class ScriptedSensorSettings(SensorSettings):
    """It is read when somebody asks for it, and of itself so seldom that no test sees it."""

    kind: str = Field(KIND, description="how it is measured")
    busy_seconds: float = Field(14, gt=0, le=3600, description="between two readings while its zone is warm or busy")
    idle_seconds: float = Field(14, gt=0, le=3600, description="between two readings otherwise")
    says: dict[str, Any] = Field(default={"celsius": 50.0}, description="fields of its readings")


class ScriptedSensor:
    """`says` are the fields of the next reading, or the error that it raises, or what is no reading at all.

    While `gate` is shut a reading hangs. `begun` and `reads` count readings that have begun and ended; `closed_by` are
    the names of the threads that closed it.
    """

    Settings = ScriptedSensorSettings

    def __init__(self, settings: ScriptedSensorSettings, surroundings: Surroundings | None = None) -> None:
        self.settings = settings
        self.surroundings = surroundings
        self.says: Any = settings.says
        self.gate = threading.Event()
        self.gate.set()
        self.closed_by: list[str] = []
        self.begun = 0
        self.reads = 0
        self._news = threading.Condition()

    def read(self, now: float) -> Any:
        self._tell(begun=1)
        self.gate.wait()
        try:
            if isinstance(self.says, BaseException):
                raise self.says
            return Reading(now, **self.says) if isinstance(self.says, Mapping) else self.says
        finally:
            self._tell(ended=1)

    def close(self) -> None:
        self.closed_by.append(threading.current_thread().name)

    def until_begun(self, times: int) -> None:
        """Until somebody has begun to read it so many times. Raises TimeoutError after 5 s."""
        self._until(lambda: self.begun >= times)

    def until_read(self, times: int) -> None:
        """Until it has been read so many times. Raises TimeoutError after 5 s."""
        self._until(lambda: self.reads >= times)

    def _until(self, condition: Any) -> None:
        with self._news:
            if not self._news.wait_for(condition, timeout=5):
                raise TimeoutError

    def _tell(self, begun: int = 0, ended: int = 0) -> None:
        with self._news:
            self.begun += begun
            self.reads += ended
            self._news.notify_all()


def sensor(**settings: Any) -> ScriptedSensor:
    return ScriptedSensor(ScriptedSensorSettings.model_validate(settings))
