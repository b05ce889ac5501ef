"""Every error in OpenAI's envelope, with the status and headers that clients act on."""

from __future__ import annotations

import math
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import (
    BackendError,
    BackendTimeoutError,
    ConfigurationError,
    IsothermError,
    JobRejectedError,
    NoRouteError,
    RateLimitedError,
    RequestError,
    StorageError,
)

_MAX_RETRY_AFTER_SECONDS = 60  # openai-node falls back to its own pace above this
_KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}

Headers = list[tuple[bytes, bytes]]


def envelope(error: IsothermError) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`: all four are required by the API."""
    _, kind, param, code = _facts(error)
    message = error.detail if isinstance(error, JobRejectedError) else error.message
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def status_of(error: IsothermError) -> int:
    return _facts(error)[0]


def headers_of(error: IsothermError) -> Headers:
    """When to come back; and whether an SDK should try again of itself, where we have tried everything already."""
    if isinstance(error, NoRouteError | RateLimitedError):
        seconds = min(max(1, math.ceil(error.retry_after_seconds)), _MAX_RETRY_AFTER_SECONDS)
        return [(b"retry-after", b"%d" % seconds)]
    if isinstance(error, BackendError):
        return [(b"x-should-retry", b"false")]
    return []


def _facts(error: IsothermError) -> tuple[int, str, str | None, str | None]:
    """(status, type, param, code)"""
    if isinstance(error, RequestError):
        return error.status, _KINDS.get(error.status, error.kind), error.param, error.code
    if isinstance(error, JobRejectedError):
        return error.status or 400, "invalid_request_error", error.param, error.code
    if isinstance(error, NoRouteError):
        return 503, "service_unavailable_error", None, "no_route"
    if isinstance(error, StorageError):
        return 503, "service_unavailable_error", None, "storage_failed"
    if isinstance(error, BackendTimeoutError):
        return 504, "backend_error", None, "backend_timeout"
    if isinstance(error, BackendError):
        return 502, "backend_error", None, "backend_failed"
    if isinstance(error, ConfigurationError):
        return 400, "invalid_request_error", None, "invalid_configuration"
    return 500, "server_error", None, None


def response(error: IsothermError) -> Response:
    """The error as an answer."""
    answer = Response(orjson.dumps(envelope(error)), status_code=status_of(error), media_type="application/json")
    answer.raw_headers.extend(headers_of(error))
    return answer


def mistake() -> IsothermError:
    """What a client is told when the fault is Isotherm's own."""
    return IsothermError("Isotherm made a mistake; its log says more.")


def validation_error(finding: ErrorDetails) -> RequestError:
    """The first finding of a failed validation, naming the field as the API's clients know it."""
    field = ".".join(str(part) for part in finding["loc"] if part not in ("body", "query", "path"))
    message = finding["msg"].removeprefix("Value error, ")
    return RequestError(f"'{field}': {message}" if field else message, param=field or None, code="invalid_value")


def add_error_handlers(app: FastAPI) -> None:
    """FastAPI's own answers (422, plain 404, 500) in the same envelope."""

    async def ours(request: Request, error: Exception) -> Response:  # noqa: ARG001 (Starlette's signature)
        assert isinstance(error, IsothermError)  # noqa: S101 (registered for nothing else)
        return response(error)

    async def invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return response(validation_error(error.errors()[0]))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        known = f"There is no {request.method} {request.url.path} here."
        message = known if error.status_code in (404, 405) else str(error.detail)
        content = {
            "error": {
                "message": message,
                "type": _KINDS.get(error.status_code, "invalid_request_error"),
                "param": None,
                "code": "method_not_allowed" if error.status_code == 405 else None,
            }
        }
        return Response(orjson.dumps(content), error.status_code, error.headers, media_type="application/json")

    async def unforeseen(request: Request, error: Exception) -> Response:  # noqa: ARG001
        return response(mistake())

    app.add_exception_handler(IsothermError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)
