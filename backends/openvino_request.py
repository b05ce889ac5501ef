"""A job as the OpenVINO worker takes it: what to say, and how to sample."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import orjson

from app.domain.errors import JobRejectedError
from backends.openvino_schema import UnsupportedSchemaError, strict

_SAMPLING = ("frequency_penalty", "presence_penalty", "temperature", "top_p")
_SEEDS = 2**64


def of_chat(backend: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Raises JobRejectedError for what is no text and for a schema that can't be enforced."""
    messages = [_message(backend, message) for message in body["messages"]]
    schema = _schema(backend, body.get("response_format"))
    return {"messages": messages, **_sampling(body), "schema": schema, "logprobs": bool(body.get("logprobs"))}


def of_completion(backend: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Raises JobRejectedError for a prompt that is not one text."""
    prompt = body["prompt"]
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise _rejected(backend, "this backend takes one prompt at a time, as text", "prompt")
    return {"prompt": prompt, **_sampling(body)}


def stops(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The stop strings that are not empty."""
    stop = body.get("stop") or []
    return tuple(filter(None, [stop] if isinstance(stop, str) else stop))


def _sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: body[name] for name in _SAMPLING if body.get(name) is not None}
    seed = body.get("seed")
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return {**given, "seed": secrets.randbits(63) if seed is None else seed % _SEEDS, "max_tokens": limit}


def _message(backend: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """The message with its content as one text; templates know `developer` as `system`."""
    role = "system" if message.get("role") == "developer" else message.get("role")
    return {**message, "role": role, "content": _text(backend, message.get("content"))}


def _text(backend: str, content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    if len(texts) != len(content):
        raise _rejected(backend, "this backend takes text only", "messages")
    return "".join(texts)


def _schema(backend: str, wanted: Mapping[str, Any] | None) -> str | None:
    """The JSON schema to keep to, as text; None for free text."""
    kind = wanted.get("type", "text") if wanted else "text"
    if kind == "text" or wanted is None:
        return None
    if kind == "json_object":
        return '{"type":"object"}'
    described = wanted.get("json_schema")
    if kind != "json_schema" or not isinstance(described, dict):
        raise _rejected(backend, "response_format must be text, json_object or json_schema", "response_format")
    try:
        return orjson.dumps(strict(described.get("schema", {}))).decode()
    except UnsupportedSchemaError as error:
        raise _rejected(backend, str(error), "response_format") from error


def _rejected(backend: str, detail: str, param: str) -> JobRejectedError:
    return JobRejectedError(backend, 400, detail, param=param)
