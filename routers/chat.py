"""POST /v1/chat/completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from starlette.routing import Route

from app.domain.backend import Capability
from app.domain.errors import BadRequestError
from app.domain.job import Job
from routers.door import Door
from routers.job import Caller, make_job
from routers.shapes.chat import SHAPE

Messages = Sequence[Mapping[str, Any]]


def read(content: bytes, caller: Caller) -> Job:
    """Raises BadRequestError naming the field."""
    body = SHAPE.read(content)
    if body.get("top_logprobs") and not body.get("logprobs"):
        raise BadRequestError("'top_logprobs' goes with 'logprobs': true.", param="top_logprobs", code="invalid_value")
    messages: Messages = body["messages"]
    return make_job(
        Capability.CHAT,
        body,
        caller,
        texts=_texts(messages),
        last_words=_last_words(messages),
        turns=sum(message.get("role") not in ("system", "developer") for message in messages),
        choices=body.get("n") or 1,
        has_images=any(part["type"] == "image_url" for part in _parts(messages)),
        has_audio="audio" in (body.get("modalities") or ())
        or any(part["type"] == "input_audio" for part in _parts(messages)),
    )


def _last_words(messages: Messages) -> str:
    """The text of the user's last message."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return "\n".join(_texts([message]))
    return ""


def _texts(messages: Messages) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            yield content
    for part in _parts(messages):
        if part["type"] == "text":
            yield part["text"]


def _parts(messages: Messages) -> Iterator[Mapping[str, Any]]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            yield from content


route = Route("/v1/chat/completions", Door(Capability.CHAT, read), methods=["POST"])
