"""One sensor, read now and again: what it said last, and why if it says nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.domain.errors import place_of
from app.domain.thermal import Reading
from app.thermal.sensor import Interruptible, Sensor, SensorLostError, SensorSettings
from app.thermal.zone import plausible


class Poller:
    """`reading` is the newest; `lost` says why the last try gave none. Both are plain attributes for others to read.

    `next_at` is when it is to be read again, by the clock of whoever asks `due`; 0 is at once.
    """

    def __init__(self, sensor: Sensor, settings: SensorSettings, clock: Callable[[], float]) -> None:
        self.sensor = sensor
        self.settings = settings
        self.reading: Reading | None = None
        self.lost: str | None = None
        self.interval_seconds = settings.idle_seconds
        self.next_at = 0.0
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._stopping = False
        self._closed = False

    @property
    def reads(self) -> bool:
        """Whether somebody is at it now."""
        return self._one_at_a_time.locked()

    @property
    def hurries(self) -> bool:
        """Whether it wants to be read sooner than it was told before."""
        return self.next_at == 0.0 and not self.reads

    def due(self, now: float) -> bool:
        """Whether it is to be read now. All that have the same interval are due together, so that one wake-up does."""
        if self._stopping or self.reads or now < self.next_at:
            return False
        self.next_at = now - now % self.interval_seconds + self.interval_seconds
        return True

    def pace(self, *, busy: bool) -> None:
        """How often to read from now on; at once, if that is more often than before."""
        seconds = self.settings.busy_seconds if busy else self.settings.idle_seconds
        if seconds < self.interval_seconds:
            self.next_at = 0.0
        self.interval_seconds = seconds

    def read(self) -> None:
        """Measure now, unless it has been stopped. May block; never raises."""
        with self._one_at_a_time:
            if self._stopping:
                return
            try:
                said = self.sensor.read(self._clock())
                reading = plausible(said)
                if reading.celsius is None and said.celsius is not None:
                    raise SensorLostError(f"it says nonsense: {said.celsius:g} °C")
                self.reading, self.lost = reading, None
            except SensorLostError as error:
                self.lost = error.message
            except Exception as error:  # noqa: BLE001 (a kind's own mistake must not end the asking)
                self.lost = f"it has a bug ({place_of(error)})"
        if self._stopping:
            self.stop()

    def stop(self) -> None:
        """Close the sensor; one that is being read is closed by its reader, as soon as that comes back from it."""
        self._stopping = True
        if isinstance(self.sensor, Interruptible):
            self.sensor.interrupt()
        if self._one_at_a_time.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._one_at_a_time.release()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self.sensor.close()
