"""From a checked body to a Job: the facts that routing may look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.domain.backend import Capability
from app.domain.errors import BadRequestError
from app.domain.job import NO_WISHES, Job, Priority, Wishes
from app.domain.parameters import needed
from app.routing.workload import background, detect


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what of the choice of a backend: what a request's head says."""

    request_id: str
    key_name: str | None = None
    wishes: Wishes = NO_WISHES


def make_job(
    capability: Capability,
    body: Mapping[str, Any],
    caller: Caller,
    *,
    texts: Iterable[str],
    last_words: str = "",
    turns: int = 0,
    choices: int = 1,
    has_images: bool = False,
    has_audio: bool = False,
) -> Job:
    """`texts` are what of the prompt is text, `last_words` what the user said last, in a conversation of `turns`.

    Raises BadRequestError for options that contradict each other.
    """
    stream = bool(body.get("stream"))
    options = body.get("stream_options")
    if options is not None and not stream:
        raise BadRequestError(
            "'stream_options' goes with 'stream': true.", param="stream_options", code="invalid_value"
        )
    parameters, extras = needed(body, capability)
    wishes = caller.wishes
    for_nobody = background(last_words, stream=stream, turns=turns)
    priority = wishes.priority
    if priority is None:
        priority = Priority.BEST_EFFORT if for_nobody else Priority.NORMAL
    return Job(
        request_id=caller.request_id,
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
        key_name=caller.key_name,
        wishes=wishes,
        workload=detect(
            capability,
            media_type=wishes.media_type,
            latency_critical=wishes.latency_critical,
            stream=stream,
            has_images=has_images,
            has_audio=has_audio,
            text=last_words,
        ),
        priority=priority,
        background=for_nobody,
        question=last_words,
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
