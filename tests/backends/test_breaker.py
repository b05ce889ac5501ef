"""When nobody is sent to a backend, and when somebody is again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Health
from backends.breaker import Breaker


def breaker(failures: int = 3, cooldown_seconds: float = 15.0) -> Breaker:
    return Breaker(failures=failures, cooldown_seconds=cooldown_seconds)


def closed(failures: int = 3, cooldown_seconds: float = 15.0) -> Breaker:
    made = breaker(failures, cooldown_seconds)
    made.probed()
    return made


def opened_by_jobs() -> Breaker:
    """Opened at second 0."""
    made = closed(failures=1)
    made.failed(0, "stalled")
    return made


def opened_by_a_probe() -> Breaker:
    """Opened at second 0."""
    made = breaker()
    made.probe_failed(0, "can't be reached")
    return made


def test_a_backend_is_unknown_until_it_was_asked_and_gets_nothing() -> None:
    made = breaker()

    assert made.look(0) is Health.UNKNOWN
    assert not made.admit(0)
    assert made.reason


def test_a_first_good_probe_closes_it() -> None:
    assert closed().look(0) is Health.CLOSED
    assert closed().admit(0)
    assert closed().reason == ""


def test_a_first_bad_probe_opens_it_at_once() -> None:
    made = opened_by_a_probe()

    assert made.look(1) is Health.OPEN
    assert not made.admit(1)
    assert made.reason == "can't be reached"


def test_so_many_failed_jobs_in_a_row_open_it_and_one_less_does_not() -> None:
    made = closed(failures=3)

    made.failed(0, "stalled")
    made.failed(1, "stalled")
    assert made.look(2) is Health.CLOSED
    made.failed(2, "stalled again")

    assert made.look(2) is Health.OPEN
    assert made.reason == "stalled again"


def test_a_good_job_starts_the_count_anew() -> None:
    made = closed(failures=2)

    for now in range(10):
        made.failed(now, "stalled")
        made.succeeded()

    assert made.look(10) is Health.CLOSED


def test_a_good_probe_does_not_hide_that_jobs_fail() -> None:
    made = closed(failures=2)

    made.failed(0, "stalled")
    made.probed()
    made.failed(1, "stalled")

    assert made.look(1) is Health.OPEN


def test_so_many_failed_probes_in_a_row_open_it() -> None:
    made = closed(failures=2)

    made.probe_failed(0, "was not answered in time")
    assert made.look(0) is Health.CLOSED
    made.probe_failed(10, "was not answered in time")

    assert made.look(10) is Health.OPEN


def test_a_good_probe_starts_the_count_of_failed_probes_anew() -> None:
    made = closed(failures=2)

    for now in range(10):
        made.probe_failed(now, "was not answered in time")
        made.probed()

    assert made.look(10) is Health.CLOSED


def test_a_failed_job_and_a_failed_probe_count_together() -> None:
    made = closed(failures=2)

    made.failed(0, "stalled")
    made.probe_failed(1, "can't be reached")

    assert made.look(1) is Health.OPEN


def test_after_the_cooldown_one_job_may_try_and_only_one() -> None:
    made = opened_by_jobs()

    assert not made.admit(14.9)
    assert made.admit(15)
    assert made.look(15) is Health.HALF_OPEN
    assert not made.admit(16)


def test_a_trial_that_goes_well_closes_it() -> None:
    made = opened_by_jobs()
    made.admit(15)

    made.succeeded()

    assert made.look(15) is Health.CLOSED
    assert made.admit(15)
    assert made.admit(15)


def test_a_trial_that_fails_opens_it_for_another_cooldown() -> None:
    made = opened_by_jobs()
    made.admit(15)

    made.failed(20, "stalled")

    assert made.look(34.9) is Health.OPEN
    assert made.look(35) is Health.HALF_OPEN


def test_where_nobody_tries_a_good_probe_after_the_cooldown_closes_it() -> None:
    made = opened_by_jobs()
    made.probed()
    assert made.look(14.9) is Health.OPEN
    assert made.look(15) is Health.HALF_OPEN

    made.probed()

    assert made.look(15) is Health.CLOSED


def test_while_somebody_tries_a_good_probe_says_nothing() -> None:
    made = opened_by_jobs()
    made.admit(15)

    made.probed()

    assert made.look(15) is Health.HALF_OPEN
    assert not made.admit(15)


def test_a_trial_that_tells_nothing_lets_the_next_one_try() -> None:
    made = opened_by_jobs()
    made.admit(15)

    made.abandoned()

    assert made.look(15) is Health.HALF_OPEN
    assert made.admit(15)


def test_a_server_found_dead_by_a_probe_may_be_tried_as_soon_as_it_answers_one() -> None:
    made = opened_by_a_probe()

    made.probed()

    assert made.look(1) is Health.HALF_OPEN
    assert made.admit(1)


def test_one_that_failed_jobs_stays_open_however_well_it_answers_probes() -> None:
    made = opened_by_jobs()

    made.probed()

    assert made.look(14) is Health.OPEN


def test_a_failed_probe_on_an_open_breaker_keeps_it_open_and_a_good_one_is_believed_then() -> None:
    made = opened_by_jobs()

    made.probe_failed(10, "can't be reached")
    assert made.look(24.9) is Health.OPEN
    made.probed()

    assert made.look(25) is Health.HALF_OPEN


def test_a_failed_probe_ends_a_trial() -> None:
    made = opened_by_jobs()
    made.admit(15)

    made.probe_failed(16, "can't be reached")

    assert made.look(16) is Health.OPEN


def test_how_long_it_stays_open_is_told_and_is_nothing_for_any_other() -> None:
    made = opened_by_jobs()

    assert made.retry_seconds(5) == 10
    made.admit(15)
    assert made.retry_seconds(15) == 0
    assert closed().retry_seconds(0) == 0


@pytest.mark.parametrize("now", [0, 1_000_000])
def test_time_alone_changes_nothing_while_it_is_closed(now: float) -> None:
    assert closed().look(now) is Health.CLOSED


STEPS = st.sampled_from(["probed", "probe_failed", "failed", "succeeded", "abandoned", "admit"])


@given(st.lists(st.tuples(STEPS, st.integers(0, 20)), max_size=40))
def test_whatever_happens_an_ill_backend_can_be_healed(steps: list[tuple[str, int]]) -> None:
    made, now = breaker(), 0
    for step, seconds in steps:
        now += seconds
        if step in ("failed", "probe_failed"):
            getattr(made, step)(now, "why")
        elif step == "admit":
            made.admit(now)
        else:
            getattr(made, step)()

    made.abandoned()
    made.probed()
    assert made.admit(now + 15)
    made.succeeded()
    assert made.look(now + 15) is Health.CLOSED


@given(st.lists(st.tuples(STEPS, st.integers(0, 20)), max_size=40))
def test_an_open_breaker_lets_nobody_through(steps: list[tuple[str, int]]) -> None:
    made, now = closed(), 0
    for step, seconds in steps:
        now += seconds
        if step in ("failed", "probe_failed"):
            getattr(made, step)(now, "why")
        elif step == "admit":
            was = made.look(now)
            assert not (made.admit(now) and was is Health.OPEN)
        else:
            getattr(made, step)()
