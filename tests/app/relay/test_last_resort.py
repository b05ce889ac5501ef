"""What the client hears when every route has refused."""

from __future__ import annotations

from app.domain.errors import (
    BackendBusyError,
    BackendError,
    BackendRefusedError,
    BackendTimeoutError,
    JobRejectedError,
    NoRouteError,
    RateLimitedError,
)
from app.relay.last_resort import last_resort

_BUSY = BackendBusyError("a", "is busy", retry_after_seconds=9.0)
_DEAD = BackendRefusedError("b", "can't be reached")
_SLOW = BackendTimeoutError("c", "sent nothing for 300 s")
_NO = JobRejectedError("d", 400, "'messages' must not be empty", param="messages")


def test_a_fault_of_the_job_says_most_whoever_found_it() -> None:
    failures: list[BackendError] = [_BUSY, _NO, _DEAD]

    assert last_resort(failures) is _NO


def test_of_several_faults_the_first_found_counts() -> None:
    assert last_resort([_NO, JobRejectedError("e", 422, "something else")]) is _NO


def test_when_all_are_busy_the_client_comes_back_when_the_first_may_have_room() -> None:
    error = last_resort([_BUSY, BackendBusyError("b", "is busy", retry_after_seconds=2.5)])

    assert isinstance(error, RateLimitedError)
    assert error.retry_after_seconds == 2.5


def test_one_that_failed_among_busy_ones_is_no_rate_limit() -> None:
    assert last_resort([_BUSY, _DEAD]) is _DEAD


def test_otherwise_the_last_word_counts() -> None:
    assert last_resort([_DEAD, _SLOW]) is _SLOW
    assert last_resort([_SLOW, _DEAD]) is _DEAD


def test_servers_that_are_not_ready_to_work_are_503_rather_than_too_many_requests() -> None:
    error = last_resort([_BUSY, BackendBusyError("b", "is busy", retry_after_seconds=2.5, status=503)])

    assert isinstance(error, NoRouteError)
    assert error.retry_after_seconds == 2.5
