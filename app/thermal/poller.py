"""One sensor, read again and again in a thread of its own: what hangs there hangs alone."""

from __future__ import annotations

import threading
from collections.abc import Callable

from app.domain.errors import place_of
from app.domain.thermal import Reading
from app.thermal.sensor import Interruptible, Sensor, SensorLostError, SensorSettings
from app.thermal.zone import plausible


class Poller:
    """`reading` is the newest; `lost` says why the last try gave none. Both are plain attributes for others to read.

    `interval_seconds` may be changed at any time; a shorter one takes effect at once.
    """

    def __init__(self, sensor: Sensor, settings: SensorSettings, clock: Callable[[], float]) -> None:
        self.sensor = sensor
        self.settings = settings
        self.reading: Reading | None = None
        self.lost: str | None = None
        self.interval_seconds = settings.idle_seconds
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self, name: str) -> None:
        """Once; the thread is a daemon: a sensor that hangs for ever must not keep the gateway from ending."""
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The sensor is closed by its own thread, as soon as that comes back from it."""
        self._stopping = True
        self._wake.set()
        if isinstance(self.sensor, Interruptible):
            self.sensor.interrupt()
        if self._thread is None:
            self.sensor.close()

    def pace(self, *, busy: bool) -> None:
        """How often to read from now on."""
        seconds = self.settings.busy_seconds if busy else self.settings.idle_seconds
        sooner = seconds < self.interval_seconds
        self.interval_seconds = seconds
        if sooner:
            self._wake.set()

    def read(self) -> None:
        """Measure now. May block; never raises."""
        with self._one_at_a_time:
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

    def _run(self) -> None:
        try:
            while not self._stopping:
                self.read()
                self._wake.wait(self.interval_seconds - self._clock() % self.interval_seconds)
                self._wake.clear()
        finally:
            self.sensor.close()
