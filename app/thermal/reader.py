"""One thread that reads all sensors, one after another; when one of them hangs, another thread takes over the rest.

A thread for each would be simpler and cost three times as much: to wake up is the dearest part of reading a sensor.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.thermal.poller import Poller

PATIENCE_SECONDS = 0.3  # with one sensor, before the others are read by somebody else
_NOTHING_TO_READ_SECONDS = 3600.0


class Reader:
    """Threads are daemons: a sensor that hangs for ever must not keep the gateway from ending.

    All methods are for one thread, that of the event loop. What the reading threads look at is replaced as a whole.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pollers: tuple[Poller, ...] = ()
        self._wake = threading.Event()
        self._on_duty = 0  # the number of the thread that reads; any other ends as soon as its sensor lets it
        self._since: float | None = None  # when it began with the sensor that it is at

    def add(self, poller: Poller) -> None:
        """Read it from now on, for the first time at once."""
        self._pollers = (*self._pollers, poller)
        if self._on_duty == 0:
            self._relieve()
        self._wake.set()

    def remove(self, poller: Poller) -> None:
        """Read it no more; it is closed, if it hangs then as soon as it comes back."""
        self._pollers = tuple(other for other in self._pollers if other is not poller)
        poller.stop()

    def look(self) -> None:
        """See that nothing waits: a thread whose sensor hangs is relieved, one that sleeps too long is woken."""
        now, since = self._clock(), self._since
        if since is not None and now - since > PATIENCE_SECONDS:
            self._relieve()
        elif any(poller.hurries for poller in self._pollers):
            self._wake.set()

    def stop(self) -> None:
        """The thread ends; sensors that were not removed stay open."""
        self._on_duty += 1
        self._pollers = ()
        self._wake.set()

    def _relieve(self) -> None:
        self._on_duty += 1
        self._since = None
        name = f"sensors {self._on_duty}"
        threading.Thread(target=self._read, args=(self._on_duty,), name=name, daemon=True).start()

    def _read(self, number: int) -> None:
        while number == self._on_duty:
            self._wake.clear()
            for poller in self._pollers:
                if not poller.due(self._clock()):
                    continue
                self._since = self._clock()
                poller.read()
                if number != self._on_duty:
                    return
                self._since = None
            soonest = min((poller.next_at for poller in self._pollers if not poller.reads), default=None)
            pause = _NOTHING_TO_READ_SECONDS if soonest is None else max(soonest - self._clock(), 0.0)
            self._wake.wait(min(pause, _NOTHING_TO_READ_SECONDS))
