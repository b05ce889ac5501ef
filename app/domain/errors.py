"""Everything that can go wrong, as one tree.

IsothermError
├── ConfigurationError          what an operator wrote can't be used; names the YAML path
├── RequestError                the caller can mend it (4xx)
│   ├── BadRequestError         400, names the field
│   ├── AuthenticationError     401
│   ├── PermissionDeniedError   403
│   ├── ModelNotFoundError      404
│   ├── TooLargeError           413
│   ├── DoubtfulError           422, no answer was good enough
│   └── RateLimitedError        429, says when to come back
├── NoRouteError                503, nothing can take the job now
├── StorageError                503, what is to be kept can't be kept or read now
└── BackendError                a backend let us down
    ├── BackendRefusedError     before its first byte, so the next route may be tried
    │   ├── BackendStartingError  it is loading its model
    │   ├── BackendBusyError    it asked to come back later
    │   └── JobRejectedError    it found fault with the job itself: the caller's 4xx
    ├── BackendTimeoutError     too slow to connect, to begin, to go on or to end
    └── StreamBrokenError       after its first byte: the answer is incomplete
"""

from __future__ import annotations

import traceback
from pathlib import Path


class IsothermError(Exception):
    """The root: `message` is fit for a person to read and holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigurationError(IsothermError):
    """`path` is where in the YAML it is wrong, as in `backends[0].threads`; empty when nowhere in particular."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class RequestError(IsothermError):
    """`param` is the field at fault and `code` a word that programs can test, both as OpenAI's envelope has them."""

    status = 400
    kind = "invalid_request_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class BadRequestError(RequestError):
    """The request can't be understood or can't be honoured."""


class AuthenticationError(RequestError):
    """No key, or none that we know."""

    status = 401


class PermissionDeniedError(RequestError):
    """A known key that may not do this."""

    status = 403


class ModelNotFoundError(RequestError):
    """Nothing here serves that model."""

    status = 404

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The model '{model}' does not exist here; GET /v1/models lists those that do.",
            param="model",
            code="model_not_found",
        )


class TooLargeError(RequestError):
    """More bytes than the limit."""

    status = 413


class DoubtfulError(RequestError):
    """There were answers, but none was as likely right as was asked for."""

    status = 422
    kind = "low_confidence_error"

    def __init__(self, best: float, least: float) -> None:
        super().__init__(
            f"The best answer is right with a probability of {best:.2f}, less than the {least:g} that was asked for.",
            param="X-Min-Confidence",
            code="low_confidence",
        )


class RateLimitedError(RequestError):
    """Too many, or too much, for now."""

    status = 429
    kind = "rate_limit_error"

    def __init__(self, message: str, *, retry_after_seconds: float, code: str = "rate_limit_exceeded") -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class NoRouteError(IsothermError):
    """Something serves the model, but nothing can take the job now."""

    def __init__(self, message: str, *, retry_after_seconds: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StorageError(IsothermError):
    """The disk is full, or a file is locked, broken or of another version."""


class BackendError(IsothermError):
    """`backend` is the id of the backend that let us down."""

    def __init__(self, backend: str, message: str) -> None:
        super().__init__(f"backend '{backend}' {message}")
        self.backend = backend


class BackendRefusedError(BackendError):
    """Nothing of an answer has come, so another backend can be asked. `status` is its HTTP status, where it had one."""

    def __init__(self, backend: str, message: str, *, status: int | None = None) -> None:
        super().__init__(backend, message)
        self.status = status


class BackendStartingError(BackendRefusedError):
    """It has never been ready yet."""


class BackendBusyError(BackendRefusedError):
    """It is well, but has no room now (`status` 429), or is not ready to work (503)."""

    def __init__(self, backend: str, message: str, retry_after_seconds: float = 1.0, *, status: int = 429) -> None:
        super().__init__(backend, message, status=status)
        self.retry_after_seconds = retry_after_seconds


class JobRejectedError(BackendRefusedError):
    """It understood the job and said no: `status` is its 4xx and `detail` its words to the caller."""

    def __init__(
        self, backend: str, status: int, detail: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(backend, f"rejected the request: {detail}", status=status)
        self.detail = detail
        self.param = param
        self.code = code


class BackendTimeoutError(BackendError):
    """It took longer than the configuration allows."""


class StreamBrokenError(BackendError):
    """The answer began and can't be completed."""


def place_of(error: BaseException) -> str:
    """Its kind and the line that made it, for the log: neither a path nor its message, which may quote a request."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
