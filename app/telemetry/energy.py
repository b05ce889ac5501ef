"""What an answer cost in joules: the energy of its zone while it was written, shared among those that overlapped.

A zone's sensors tell its energy between two readings; jobs begin and end in between. What an interval's idle part
takes is paid first, at the idle power that was last seen; the rest is divided among the jobs by their part of the busy
time. The idle part is what an answer's figure may be off by, beside the sensor's own doubt: it makes the error band.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.domain.thermal import Reading
from app.telemetry.timeline import Timeline

MEASURED, ESTIMATED, UNKNOWN = "measured", "estimated", "unknown"

#: A figure from a data sheet says what a device may draw, not what it does: half of it either way. So does a model.
_NAMEPLATE_ERROR = 0.5
#: NVML: "accurate to within +/- 5 % of current power draw"; RAPL's energy counters are about as good.
_SENSOR_ERROR = 0.05
#: A sensor that lets so many answers wait for its next reading is as good as lost.
_MOST_WAITING = 4096


@dataclass(frozen=True, slots=True)
class Energy:
    """`joules` give or take `error_joules`, and their `source`; None is unknown.

    `seconds` is the job's part of the time in which they were spent.
    """

    source: str
    joules: float | None = None
    error_joules: float | None = None
    seconds: float = 0.0

    def __add__(self, other: Energy) -> Energy:
        """Of two parts of one answer; as well known as the worse of them."""
        seconds = self.seconds + other.seconds
        if self.joules is None or other.joules is None:
            return Energy(UNKNOWN, seconds=seconds)
        source = MEASURED if self.source == other.source == MEASURED else ESTIMATED
        error = (self.error_joules or 0.0) + (other.error_joules or 0.0)
        return Energy(source, self.joules + other.joules, error, seconds)


NOTHING_SPENT = Energy(MEASURED, 0.0, 0.0)

Settled = Callable[[Energy], None]


class Share:
    """One job's part of its zone's energy, and of its backend's time. `settled` is called once, at the last joule.

    `measured` says whether sensors have told the whole of it so far.
    """

    __slots__ = ("backend", "mark", "measured", "settled", "spent", "until", "watts", "worked", "worked_mark")

    def __init__(self, backend: str, watts: float | None, settled: Settled) -> None:
        self.backend = backend
        self.watts = watts
        self.settled = settled
        self.spent: Energy = NOTHING_SPENT
        self.measured = False
        self.mark = 0.0
        self.until: float | None = None
        self.worked_mark = 0.0
        self.worked = 0.0


class Meter:
    """One for a zone, or for a backend that is in none. All times are of one monotonic clock."""

    def __init__(self) -> None:
        self._zone = Timeline()
        self._backends: dict[str, Timeline] = {}
        self._running: set[Share] = set()
        self._ended: list[Share] = []
        self._last: Reading | None = None
        self._sensor: object = None
        self._idle_watts: float | None = None

    @property
    def waits(self) -> bool:
        """Whether some answer's energy is not known before the next reading."""
        return bool(self._ended)

    def begin(self, share: Share, now: float) -> None:
        """A job starts to work."""
        self._running.add(share)
        share.measured = self._measures()
        share.mark = self._zone.change(now, 1, keep=share.measured)
        share.worked_mark = self._backends.setdefault(share.backend, Timeline()).change(now, 1, keep=False)

    def end(self, share: Share, now: float, duty: float = 1.0) -> None:
        """It works no more. Its energy is settled by the next reading, or at once where none is to be had.

        `duty` is the share of the time that its backend really worked: one that pauses draws no nameplate watts.
        """
        self._running.discard(share)
        share.until = self._zone.change(now, -1, keep=self._measures())
        share.worked = (self._backends[share.backend].change(now, -1, keep=False) - share.worked_mark) * duty
        if not share.measured:
            share.settled(_by_nameplate(share))
            return
        self._ended.append(share)
        if len(self._ended) > _MOST_WAITING:
            self._last = None
            self._fall_back()

    def read(self, reading: Reading | None, sensor: object = None) -> None:
        """Take what the zone's `sensor` says; None when it is lost. Where a row of readings breaks off, because it is
        lost, another one takes over or its counter began anew, nameplates count for what runs or has just ended.
        """
        before = self._last
        if sensor is not self._sensor:
            before, self._sensor, self._idle_watts = None, sensor, None
        elif reading is not None and before is not None and reading.at <= before.at:
            return
        self._last = reading
        spent = _energy_between(before, reading)
        if before is None or reading is None or spent is None:
            self._fall_back()
        else:
            self._pay(*spent, before.at, reading)

    def _measures(self) -> bool:
        reading = self._last
        return reading is not None and (reading.joules is not None or reading.watts is not None)

    def _pay(self, joules: float, error: float, since: float, reading: Reading) -> None:
        """Divide an interval's energy by what each job had of its busy time."""
        seconds = reading.at - since
        (_, busy_before), (portion, busy_after) = self._zone.at(since), self._zone.at(reading.at)
        busy = busy_after - busy_before
        idle = max(seconds - busy, 0.0)
        idle_joules = min(joules, idle * (joules / seconds if self._idle_watts is None else self._idle_watts))
        if busy <= 0:
            self._idle_watts = joules / seconds
        source, doubt = (ESTIMATED, _NAMEPLATE_ERROR) if reading.modelled else (MEASURED, _SENSOR_ERROR)
        error += idle_joules + doubt * (joules - idle_joules)
        waiting: list[Share] = []
        for share in (*self._running, *self._ended):
            until = portion if share.until is None else min(share.until, portion)
            had = until - share.mark
            if share.measured and had > 0 and busy > 0:
                part = min(had / busy, 1.0)
                share.mark = until
                share.spent += Energy(source, (joules - idle_joules) * part, error * part, had)
        for share in self._ended:
            if share.until is not None and share.until > portion:
                waiting.append(share)
            else:
                share.settled(share.spent)
        self._ended = waiting
        self._zone.forget(reading.at)

    def _fall_back(self) -> None:
        """Without a sensor nothing that runs or has just ended is measured to its end."""
        ended, self._ended = self._ended, []
        for share in self._running:
            share.measured = False
        for share in ended:
            share.settled(_by_nameplate(share))


def _by_nameplate(share: Share) -> Energy:
    """The watts that its backend is said to draw, times the job's part of the backend's time."""
    if share.watts is None:
        return Energy(UNKNOWN, seconds=share.worked)
    joules = share.watts * share.worked
    return Energy(ESTIMATED, joules, joules * _NAMEPLATE_ERROR, share.worked)


def _energy_between(before: Reading | None, after: Reading | None) -> tuple[float, float] | None:
    """Joules between two readings and how far they may be off: by the counter, else by the power at both ends."""
    if before is None or after is None:
        return None
    if before.joules is not None and after.joules is not None and after.joules >= before.joules:
        return after.joules - before.joules, 0.0
    if before.watts is not None and after.watts is not None:
        seconds = after.at - before.at
        return (before.watts + after.watts) / 2 * seconds, abs(after.watts - before.watts) / 2 * seconds
    return None
