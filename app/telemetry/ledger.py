"""The energy that each key has used today, for keys that may only use so much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from app.domain.errors import RateLimitedError

_JOULES_PER_WATT_HOUR = 3600.0


class Ledger:
    """In memory, from local midnight to midnight. Answers whose energy is unknown can't be counted."""

    def __init__(self, now: Callable[[], datetime] = datetime.now) -> None:
        self._now = now
        self._day = now().date()
        self._joules: dict[str, float] = {}

    def spend(self, key_name: str, joules: float) -> None:
        self._turn_the_page()
        self._joules[key_name] = self._joules.get(key_name, 0.0) + joules

    def watt_hours(self, key_name: str) -> float:
        """Used today."""
        self._turn_the_page()
        return self._joules.get(key_name, 0.0) / _JOULES_PER_WATT_HOUR

    def check(self, key_name: str, watt_hours_per_day: float) -> None:
        """Raises RateLimitedError when a key has used up its day."""
        if self.watt_hours(key_name) < watt_hours_per_day:
            return
        now = self._now()
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        raise RateLimitedError(
            f"This key has used its {watt_hours_per_day:g} watt-hours of today.",
            retry_after_seconds=(midnight - now).total_seconds(),
            code="energy_budget_exceeded",
        )

    def _turn_the_page(self) -> None:
        today = self._now().date()
        if today != self._day:
            self._day = today
            self._joules.clear()
