"""What a server's error answer means to us: whose fault it is, and whether another backend may be asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from app.domain.errors import BackendBusyError, BackendRefusedError, JobRejectedError

_MAX_DETAIL = 500
#: What follows a URL's host is none: it comes after a word character.
_PATHS = re.compile(r"file://\S+|(?<![\w/])(?:/[\w.@+-]+){2,}|(?<!\w)[A-Za-z]:[\\/][\w.\\/ -]+")
#: As llama.cpp, Ollama, vLLM and others put it.
_OVERFLOW = re.compile(
    r"exceeds?(?: the)?(?: available| maximum| model's)* context|maximum context length", re.IGNORECASE
)
_CALLERS_FAULT = frozenset({400, 413, 422})


def refusal(backend: str, status: int, headers: Mapping[bytes, bytes], content: bytes) -> BackendRefusedError:
    """The error to raise for an answer that is no 200; only some are the caller's fault, not our set-up's."""
    if status in _CALLERS_FAULT:
        detail, param, code = _envelope(content)
        message = safe(detail) or f"it answered {status}"
        return JobRejectedError(backend, status, message, param=param, code=code)
    if status in (401, 403):
        return BackendRefusedError(backend, "does not accept the key that the configuration gives it", status=status)
    if status in (429, 503, 529):
        return BackendBusyError(backend, "is busy", _retry_after_seconds(headers), status=429 if status == 429 else 503)
    return BackendRefusedError(backend, f"answered {status}", status=status)


def safe(text: str) -> str:
    """The first line, without file paths, cut to what a person reads: fit to be shown to a client."""
    return _PATHS.sub("[path]", text.strip().partition("\n")[0])[:_MAX_DETAIL]


def _envelope(content: bytes | str) -> tuple[str, str | None, str | None]:
    """(message, param, code) of an error body in OpenAI's, Ollama's, Anthropic's or FastAPI's shape."""
    try:
        body: Any = orjson.loads(content)
    except ValueError:
        return "", None, None
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, str):
        # Ollama hands on what its llama.cpp said as a string of JSON
        return _envelope(error) if error.startswith("{") else (error, None, _code(error, {}))
    if not isinstance(error, dict):
        return "", None, None
    message = error.get("message") or error.get("detail") or ""
    text = message if isinstance(message, str) else orjson.dumps(message).decode()
    param = error.get("param")
    return text, param if isinstance(param, str) else None, _code(text, error)


def _code(text: str, error: Mapping[str, Any]) -> str | None:
    """One word for a prompt that is too long, whatever the server calls it: the relay tries a larger context then."""
    if error.get("type") == "exceed_context_size_error" or _OVERFLOW.search(text):
        return "context_length_exceeded"
    code = error.get("code") or error.get("type")
    return code if isinstance(code, str) else None


def _retry_after_seconds(headers: Mapping[bytes, bytes]) -> float:
    try:
        return min(max(0.0, float(headers.get(b"retry-after", b"1"))), 60.0)  # in this order NaN is 0
    except ValueError:  # an HTTP date: the caller may as well ask again soon
        return 1.0
