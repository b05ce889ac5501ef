"""A circuit breaker: after failures in a row nobody is sent, until one may try again.

Source: M. Nygard, Release It!, "Circuit Breaker". Time comes in as an argument.
"""

from __future__ import annotations

from app.domain.backend import Health


class Breaker:
    """Unknown until the first probe or job has ended; then closed, open, or half open (one job may try).

    A server that was found dead by a probe and answers one again is half open at once; one that failed jobs
    stays open for the whole cooldown, however well it answers probes. A half-open one is closed by the next good probe,
    too: where another backend is well, nobody might ever try.
    """

    __slots__ = ("_cooldown_seconds", "_failed_probes", "_failures", "_limit", "_opened", "_trying", "health", "reason")

    def __init__(self, *, failures: int, cooldown_seconds: float) -> None:
        self.health = Health.UNKNOWN
        self.reason = "it has not been asked yet"
        self._limit = failures
        self._cooldown_seconds = cooldown_seconds
        self._failures = 0
        self._failed_probes = 0
        self._opened = 0.0
        self._trying = False

    def look(self, now: float) -> Health:
        """The state at this time: an open breaker becomes half open when it has cooled down."""
        if self.health is Health.OPEN and now - self._opened >= self._cooldown_seconds:
            self.health = Health.HALF_OPEN
            self._trying = False
        return self.health

    def retry_seconds(self, now: float) -> float:
        """How long an open breaker stays so; 0 for any other."""
        return max(0.0, self._opened + self._cooldown_seconds - now) if self.health is Health.OPEN else 0.0

    def admit(self, now: float) -> bool:
        """Whether a job may be sent; through a half-open breaker only one at a time."""
        health = self.look(now)
        if health is Health.HALF_OPEN:
            admitted, self._trying = not self._trying, True
            return admitted
        return health is Health.CLOSED

    def probed(self) -> None:
        """A probe was answered well."""
        self._failed_probes = 0
        if self.health is Health.UNKNOWN or (self.health is Health.HALF_OPEN and not self._trying):
            self._close()
        elif self.health is Health.OPEN and self._failures == 0:
            self.health = Health.HALF_OPEN
            self._trying = False

    def probe_failed(self, now: float, reason: str) -> None:
        """A probe found nobody who can serve: no need to lose jobs to be sure."""
        self.reason = reason
        if self.health in (Health.UNKNOWN, Health.HALF_OPEN, Health.OPEN):
            self._open(now)
            self._failures = 0
            return
        self._failed_probes += 1
        if self._too_many():
            self._open(now)
            self._failures = 0

    def succeeded(self) -> None:
        """A job was answered well."""
        self._close()

    def failed(self, now: float, reason: str) -> None:
        """A job was not answered, or not to its end."""
        self.reason = reason
        if self.health is Health.HALF_OPEN:
            self._open(now)
            return
        self._failures += 1
        if self._too_many():
            self._open(now)

    def abandoned(self) -> None:
        """A job ended without telling anything: its caller left, or its fault was its own."""
        self._trying = False

    def _too_many(self) -> bool:
        return self._failures + self._failed_probes >= self._limit

    def _open(self, now: float) -> None:
        self.health = Health.OPEN
        self._opened = now
        self._trying = False

    def _close(self) -> None:
        self.health = Health.CLOSED
        self.reason = ""
        self._failures = 0
        self._failed_probes = 0
        self._trying = False
