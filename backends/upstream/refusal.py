"""What a server's error answer means to us: whose fault it is, and whether another backend may be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from app.domain.errors import BackendBusyError, BackendRefusedError, JobRejectedError

_MAX_DETAIL = 500
_PATHS = re.compile(r"(?<![\w:/])(?:/[\w.@+-]+){2,}|[A-Za-z]:\\[\w.\\ -]+")
_CALLERS_FAULT = frozenset({400, 413, 422})


def refusal(backend: str, status: int, headers: Mapping[bytes, bytes], content: bytes) -> BackendRefusedError:
    """The error to raise for an answer that is no 200; only some are the caller's fault, not our set-up's."""
    if status in _CALLERS_FAULT:
        detail, param, code = _envelope(content)
        message = safe(detail) or f"it answered {status}"
        return JobRejectedError(backend, status, message, param=param, code=code)
    if status in (401, 403):
        return BackendRefusedError(backend, "does not accept the key that the configuration gives it")
    if status in (429, 503):
        return BackendBusyError(backend, "is busy", _retry_after_seconds(headers))
    return BackendRefusedError(backend, f"answered {status}")


def safe(text: str) -> str:
    """The first line, without file paths, cut to what a person reads: fit to be shown to a client."""
    return _PATHS.sub("[path]", text.strip().partition("\n")[0])[:_MAX_DETAIL]


def _envelope(content: bytes) -> tuple[str, str | None, str | None]:
    """(message, param, code) of an error body in OpenAI's, Ollama's, Anthropic's or FastAPI's shape."""
    try:
        body: Any = orjson.loads(content)
    except ValueError:
        return "", None, None
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, str):
        return error, None, None
    if not isinstance(error, dict):
        return "", None, None
    message = error.get("message") or error.get("detail") or ""
    param, code = error.get("param"), error.get("code") or error.get("type")
    if error.get("type") == "exceed_context_size_error":
        code = "context_length_exceeded"
    text = message if isinstance(message, str) else orjson.dumps(message).decode()
    return text, param if isinstance(param, str) else None, code if isinstance(code, str) else None


def _retry_after_seconds(headers: Mapping[bytes, bytes]) -> float:
    try:
        return min(max(float(headers.get(b"retry-after", b"1")), 0.0), 60.0)
    except ValueError:  # an HTTP date: the caller may as well ask again soon
        return 1.0
