"""What the kinds that speak OpenAI's API share: how to ask, and how to read the lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.backend import ServedModel
from app.domain.errors import BackendRefusedError
from backends.upstream.client import Upstream


def streamed(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body, asking for a stream with usage: only a streamed job stops when its caller leaves."""
    options = body.get("stream_options")
    kept = options if isinstance(options, dict) else {}
    return {**body, "stream": True, "stream_options": {**kept, "include_usage": True}}


async def list_models(upstream: Upstream) -> tuple[ServedModel, ...]:
    """GET /models. Raises BackendError."""
    return tuple(map(served, await listed(upstream)))


async def listed(upstream: Upstream) -> list[dict[str, Any]]:
    """What GET /models says of each model that has a name. Raises BackendError."""
    answer = await upstream.get_json("/models")
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise BackendRefusedError(upstream.backend, "did not list its models")
    return [item for item in data if isinstance(item, dict) and isinstance(item.get("id"), str)]


def served(item: Mapping[str, Any]) -> ServedModel:
    """A model as its server lists it."""
    created = item.get("created")
    return ServedModel(
        name=item["id"],
        context=_context(item),
        created=created if isinstance(created, int) else 0,
    )


def _context(item: Mapping[str, Any]) -> int | None:
    """Tokens that fit, under the names that vLLM, llama.cpp and LM Studio give it."""
    meta = item.get("meta")
    found = (
        item.get("max_model_len")
        or (meta.get("n_ctx") if isinstance(meta, dict) else None)
        or item.get("max_context_length")
    )
    return found if isinstance(found, int) and found > 0 else None


async def embed(upstream: Upstream, body: Mapping[str, Any]) -> dict[str, Any]:
    """POST /embeddings, asking for plain numbers. Raises BackendError."""
    answer = await upstream.post_json("/embeddings", {**body, "encoding_format": "float"})
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not all(map(_is_embedding, data)):
        raise BackendRefusedError(upstream.backend, "answered with JSON that is no list of embeddings")
    whole: dict[str, Any] = answer
    return whole


def _is_embedding(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("embedding"), list)
