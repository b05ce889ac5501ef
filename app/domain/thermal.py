"""Heat as values: what was measured, what it means, and where it is going."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class ThermalState(StrEnum):
    """How hot a zone is, by its trip points; unknown when nobody can measure it."""

    NOMINAL = "nominal"
    WARNING = "warning"
    CRITICAL = "critical"
    SHUTDOWN = "shutdown"
    UNKNOWN = "unknown"


class Noise(StrEnum):
    """How loud a fan is at its speed."""

    SILENT = "silent"
    QUIET = "quiet"
    MODERATE = "moderate"
    LOUD = "loud"


@dataclass(frozen=True, slots=True)
class Battery:
    """`percent` of its charge, whether the machine is `plugged` in, and the watts that it gives (0 while it takes)."""

    percent: float
    plugged: bool
    watts: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one sensor measured at one instant of the monotonic clock. None is unknown, and never zero.

    `joules` counts up from some start; a sensor hides the wrap-around of its counter. `utilisation` is a share, 0
    to 1. The `limit_` temperatures are the device's own: where it begins to slow down, and where it turns itself off.
    `throttling` says whether heat slows the device now. `asleep` is a device that was left suspended, unread.
    `modelled` marks what was computed or recorded, not measured: it never becomes a measured joule.
    """

    at: float
    celsius: float | None = None
    watts: float | None = None
    joules: float | None = None
    fan_percent: float | None = None
    fan_rpm: float | None = None
    utilisation: float | None = None
    megahertz: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    throttling: bool | None = None
    battery: Battery | None = None
    limit_slowdown_celsius: float | None = None
    limit_shutdown_celsius: float | None = None
    asleep: bool = False
    modelled: bool = False


@dataclass(frozen=True, slots=True)
class TripPoints:
    """Celsius at which a zone enters a state; it leaves when it is `hysteresis` degrees under that."""

    warning: float = 70.0
    critical: float = 85.0
    shutdown: float = 95.0
    hysteresis: float = 5.0


@dataclass(frozen=True, slots=True)
class FanPoints:
    """Percent of its top speed up to which a fan is quiet or moderate, and from which it is loud."""

    quiet: float = 30.0
    moderate: float = 60.0
    loud: float = 85.0

    def noise(self, percent: float) -> Noise:
        if percent <= self.quiet:
            return Noise.SILENT if percent == 0 else Noise.QUIET
        return Noise.LOUD if percent >= self.loud else Noise.MODERATE


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where a zone's temperature goes if its load stays as it is.

    A first-order thermal system (Newton's law of cooling): T(t) = target + (celsius - target) * exp(-t / tau), with t
    in seconds from `at`. `tau` is infinite for a straight line, whose slope `per_second` always is that of `at`.
    """

    at: float
    celsius: float
    per_second: float
    target: float | None = None
    tau: float = math.inf

    def celsius_in(self, seconds: float) -> float:
        """The temperature that many seconds after `at`."""
        if self.target is None or math.isinf(self.tau):
            return self.celsius + self.per_second * seconds
        return self.target + (self.celsius - self.target) * math.exp(-seconds / self.tau)

    def seconds_until(self, celsius: float) -> float | None:
        """Seconds from `at` until it is that hot; 0 when it is already, None when it never will be."""
        if self.celsius >= celsius:
            return 0.0
        if self.per_second <= 0:
            return None
        if self.target is None or math.isinf(self.tau):
            return (celsius - self.celsius) / self.per_second
        if self.target <= celsius:
            return None
        return self.tau * math.log((self.target - self.celsius) / (self.target - celsius))


@dataclass(frozen=True, slots=True)
class Zone:
    """A piece of hardware that heats as one, as it stands.

    `since` is when it entered its state (monotonic seconds). `reading` is what its sensors say together, None when
    they say nothing that is fresh. `trips` are those in force, the device's own limits heeded.
    """

    id: str
    state: ThermalState
    since: float
    trips: TripPoints
    fans: FanPoints = FanPoints()
    reading: Reading | None = None
    forecast: Forecast | None = None
    avoid_unknown: bool = False

    @property
    def celsius(self) -> float | None:
        return self.reading.celsius if self.reading is not None else None

    @property
    def watts(self) -> float | None:
        return self.reading.watts if self.reading is not None else None

    @property
    def fan_percent(self) -> float | None:
        return self.reading.fan_percent if self.reading is not None else None

    @property
    def noise(self) -> Noise | None:
        """None when nobody knows how fast its fan turns."""
        percent = self.fan_percent
        return None if percent is None else self.fans.noise(percent)

    @property
    def headroom(self) -> float | None:
        """Degrees left before critical; negative once past it."""
        return None if self.celsius is None else self.trips.critical - self.celsius

    def headroom_in(self, seconds: float) -> float | None:
        """Degrees that will be left in that many seconds, under the present load."""
        if self.forecast is None:
            return self.headroom
        return self.trips.critical - self.forecast.celsius_in(seconds)

    def seconds_until_critical(self) -> float | None:
        """Under the present load; None when it won't be, or nobody knows."""
        return None if self.forecast is None else self.forecast.seconds_until(self.trips.critical)

    def cooler_than(self, other: Zone) -> bool:
        """Whether new work is better off here. An unknown zone counts as its policy says."""
        return self._rank() < other._rank()

    def _rank(self) -> int:
        if self.state is ThermalState.UNKNOWN:
            return 3 if self.avoid_unknown else 0
        return _RANK[self.state]


_RANK = {ThermalState.NOMINAL: 0, ThermalState.WARNING: 1, ThermalState.CRITICAL: 2, ThermalState.SHUTDOWN: 3}
