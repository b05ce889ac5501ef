"""How many tokens of context to ask Ollama for: as few as will do, and seldom another number than before.

Ollama sets memory aside for all of `num_ctx`, and loads a model anew when the number changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.domain.errors import BadRequestError

_SMALLEST = 2048
_KEPT_SECONDS = 300.0  # as long as Ollama keeps a model that nobody uses
_BYTES_PER_TOKEN = 2  # no text of a usual language has fewer, by any usual vocabulary
_MOST_BYTES_PER_TOKEN = 16  # nor more
_IMAGE_TOKENS = 1024
_ANSWER_TOKENS = 2048  # where the job does not say


@dataclass(frozen=True, slots=True)
class Need:
    """What a request takes: the bytes of its prompt, its images, and the tokens of its answer."""

    prompt_bytes: int
    images: int
    answer_tokens: int
    asked: int | None = None

    @property
    def tokens(self) -> int:
        """Never too few: what the caller asked for, or else an upper estimate."""
        prompt = self.prompt_bytes // _BYTES_PER_TOKEN + self.images * _IMAGE_TOKENS
        return self.asked or prompt + self.answer_tokens


def need(request: Mapping[str, Any]) -> Need:
    """Of a request in Ollama's shape."""
    options = request.get("options") or {}
    messages = request.get("messages") or ()
    images = sum(len(message.get("images") or ()) for message in messages)
    texts = [{**message, "images": None} for message in messages]
    return Need(
        prompt_bytes=len(orjson.dumps([texts, request.get("tools"), request.get("prompt"), request.get("input")])),
        images=images,
        answer_tokens=0 if "input" in request else options.get("num_predict") or _ANSWER_TOKENS,
        asked=options.get("num_ctx"),
    )


def check_fits(wanted: Need, limit: int | None) -> None:
    """Raises BadRequestError for a prompt that can't fit, however it is cut into tokens."""
    least = wanted.prompt_bytes // _MOST_BYTES_PER_TOKEN
    if limit is not None and least >= limit:
        raise too_long(limit)


def too_long(limit: int) -> BadRequestError:
    return BadRequestError(
        f"This model's maximum context length is {limit} tokens, and the prompt is longer.",
        param="messages",
        code="context_length_exceeded",
    )


class Contexts:
    """The number for each model: grows at once, and shrinks when the larger one was not needed for a while."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, float]] = {}

    def hold(self, model: str, tokens: int, limit: int | None, now: float) -> int:
        """A power of two that is enough for so many tokens, or the limit; `now` is in seconds."""
        wanted = max(_SMALLEST, 1 << (tokens - 1).bit_length())
        if limit is not None:
            wanted = min(wanted, limit)
        held, needed_at = self._held.get(model, (0, 0.0))
        if wanted < held and now - needed_at < _KEPT_SECONDS:
            return held
        self._held[model] = (wanted, now)
        return wanted
