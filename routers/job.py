"""From a checked body to a Job: the facts that routing may look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from app.domain.backend import Capability
from app.domain.errors import BadRequestError
from app.domain.job import Job
from app.domain.parameters import needed


def make_job(
    capability: Capability,
    body: Mapping[str, Any],
    request_id: str,
    key_name: str | None,
    *,
    texts: Iterable[str],
    choices: int = 1,
    has_images: bool = False,
) -> Job:
    """`texts` are what of the prompt is text. Raises BadRequestError for options that contradict each other."""
    stream = bool(body.get("stream"))
    options = body.get("stream_options")
    if options is not None and not stream:
        raise BadRequestError(
            "'stream_options' goes with 'stream': true.", param="stream_options", code="invalid_value"
        )
    parameters, extras = needed(body, capability)
    return Job(
        request_id=request_id,
        capability=capability,
        model=body["model"],
        body=body,
        parameters=parameters,
        extras=extras,
        prompt_bytes=sum(map(_bytes, texts)),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        choices=choices,
        stream=stream,
        include_usage=bool(options and options.get("include_usage")),
        has_images=has_images,
        key_name=key_name,
    )


def unsendable(body: Mapping[str, Any]) -> BadRequestError | None:
    """For a body that was read from JSON and yet can't be written as such: a number has more than 64 bits."""
    for name, value in body.items():
        try:
            orjson.dumps(value)
        except TypeError as error:
            return BadRequestError(f"'{name}' can't be passed on: {error}", param=name, code="invalid_value")
    return None


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
