"""What a door reads of a request's head and body, bounded, and what every answer's head says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from random import getrandbits

from starlette.types import Receive

from app.domain.confidence import Attempt
from app.domain.decision import Decision, Route
from app.domain.errors import BadRequestError, TooLargeError
from app.domain.job import Job

_REQUEST_ID = re.compile(rb"^[A-Za-z0-9._:-]{1,128}$")
_MAX_REASON = 300

Headers = list[tuple[bytes, bytes]]


class ClientLeftError(Exception):
    """The client went away while it was sending."""


def request_id_of(given: bytes | None) -> str:
    """The client's X-Request-ID, or one of ours. Raises BadRequestError for one that can't stand in a header."""
    if given is None:
        return f"req_{getrandbits(96):024x}"
    if not _REQUEST_ID.match(given):
        raise BadRequestError(
            "X-Request-ID may have up to 128 letters, digits and any of . _ : -",
            param="X-Request-ID",
            code="invalid_value",
        )
    return given.decode("ascii")


async def read_body(receive: Receive, declared: bytes | None, limit_bytes: int) -> bytes:
    """The whole body. Raises TooLargeError as soon as it is known to be longer than the limit."""
    if declared is not None and declared.isdigit() and int(declared[:20]) > limit_bytes:
        raise _too_large(limit_bytes)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientLeftError
        part = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def answer_headers(
    job: Job, route: Route, decision: Decision, content_type: bytes, judged: Sequence[Attempt] = ()
) -> Headers:
    """Who answers and why, what it draws and how long it usually takes; `unknown` where nobody knows.

    The latency is that of X-Max-Latency-Ms: to the first token of a stream, to the end of a whole answer. With what
    was `judged` of it so far, how many attempts were made, and how likely the one that is sent is right.
    """
    candidate = route.candidate
    watts, seconds = candidate.watts, candidate.latency_seconds(stream=job.stream, tokens=job.max_tokens)
    others = [other.backend for other in decision.routes if other.backend != route.backend]
    return [
        (b"content-type", content_type),
        (b"x-request-id", job.request_id.encode("ascii")),
        (b"x-backend-used", route.backend.encode("ascii")),
        (b"x-routing-reason", _plain(decision.why(route))),
        (b"x-estimated-power-watts", b"unknown" if watts is None else b"%g" % watts),
        (b"x-estimated-latency-ms", b"unknown" if seconds is None else b"%.1f" % (seconds * 1000)),
        (b"x-alternatives", _list(others)),
        *_confidence(judged),
    ]


def _confidence(judged: Sequence[Attempt]) -> Headers:
    if not judged:
        return []
    chosen = next((attempt.confidence for attempt in judged if attempt.result in ("accepted", "best")), None)
    if chosen is None:  # the one that is sent is still being written
        return [(b"x-attempts", b"%d" % (len(judged) + 1))]
    return [(b"x-confidence", b"%.4f" % chosen.probability), (b"x-attempts", b"%d" % len(judged))]


def _list(names: Iterable[str]) -> bytes:
    return ", ".join(dict.fromkeys(names)).encode("ascii")


def _plain(text: str) -> bytes:
    return text[:_MAX_REASON].replace("°C", "C").encode("ascii", "replace").replace(b"\r", b" ").replace(b"\n", b" ")


def _too_large(limit_bytes: int) -> TooLargeError:
    return TooLargeError(f"The body is longer than the limit of {limit_bytes} bytes.", code="request_too_large")
