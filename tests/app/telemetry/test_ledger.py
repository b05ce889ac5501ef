"""The energy that each key has used today."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from app.domain.errors import RateLimitedError
from app.telemetry.ledger import Ledger

WATT_HOUR = 3600.0
SUMMER = timezone(timedelta(hours=2))


class Calendar:
    """Local time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 7, 14, 22, 30, tzinfo=SUMMER)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


def test_joules_are_told_as_watt_hours() -> None:
    ledger = Ledger(Calendar())
    ledger.spend("ada", 3.0)

    assert ledger.watt_hours("ada") == pytest.approx(0.00083, abs=1e-5)


def test_each_key_has_an_account_of_its_own() -> None:
    ledger = Ledger(Calendar())
    ledger.spend("ada", WATT_HOUR)
    ledger.spend("ada", WATT_HOUR)
    ledger.spend("eve", WATT_HOUR)

    assert [ledger.watt_hours(name) for name in ("ada", "eve", "bob")] == [2, 1, 0]


def test_a_key_may_go_on_until_it_has_used_all_of_its_day() -> None:
    ledger = Ledger(Calendar())
    ledger.spend("ada", 1.999 * WATT_HOUR)
    ledger.check("ada", 2)

    ledger.spend("ada", 0.001 * WATT_HOUR)
    with pytest.raises(RateLimitedError, match="used its 2 watt-hours of today") as caught:
        ledger.check("ada", 2)

    assert caught.value.code == "energy_budget_exceeded"
    ledger.check("eve", 2)


def test_it_says_how_long_it_is_until_midnight() -> None:
    calendar = Calendar()
    ledger = Ledger(calendar)
    ledger.spend("ada", WATT_HOUR)
    calendar.advance(minutes=29, seconds=18)

    with pytest.raises(RateLimitedError) as caught:
        ledger.check("ada", 1)

    assert caught.value.retry_after_seconds == 3600 + 42


def test_a_new_day_begins_at_local_midnight_with_nothing_used() -> None:
    calendar = Calendar()
    ledger = Ledger(calendar)
    ledger.spend("ada", WATT_HOUR)

    calendar.advance(minutes=89, seconds=59)
    assert ledger.watt_hours("ada") == 1
    calendar.advance(seconds=1)
    assert ledger.watt_hours("ada") == 0
    ledger.check("ada", 1)
    ledger.spend("ada", WATT_HOUR / 2)
    assert ledger.watt_hours("ada") == 0.5


def test_what_is_spent_after_midnight_counts_for_the_new_day_alone() -> None:
    calendar = Calendar()
    ledger = Ledger(calendar)
    ledger.spend("ada", WATT_HOUR)
    calendar.advance(days=1)
    ledger.spend("ada", WATT_HOUR)

    assert ledger.watt_hours("ada") == 1


def test_the_last_day_of_a_month_has_a_midnight_too() -> None:
    calendar = Calendar()
    calendar.now = datetime(2026, 12, 31, 23, 59, 30, tzinfo=SUMMER)
    ledger = Ledger(calendar)
    ledger.spend("ada", WATT_HOUR)

    with pytest.raises(RateLimitedError) as caught:
        ledger.check("ada", 1)

    assert caught.value.retry_after_seconds == 30
