"""What to tell the client when every route has refused."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.errors import (
    BackendBusyError,
    BackendError,
    IsothermError,
    JobRejectedError,
    NoRouteError,
    RateLimitedError,
)


def last_resort(failures: Sequence[BackendError]) -> IsothermError:
    """A fault of the job itself says most; then that all are busy; then whatever the last one said."""
    for error in failures:
        if isinstance(error, JobRejectedError):
            return error
    busy = [error for error in failures if isinstance(error, BackendBusyError)]
    if busy and len(busy) == len(failures):
        soonest = min(error.retry_after_seconds for error in busy)
        if any(error.status == 503 for error in busy):
            return NoRouteError("The backends that could answer are not ready to.", retry_after_seconds=soonest)
        return RateLimitedError("All backends that could answer are busy; try again soon.", retry_after_seconds=soonest)
    return failures[-1]
