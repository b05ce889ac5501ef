"""A conversation in OpenAI's shape, told in Ollama's.

What can't be told raises BadRequestError, which names the messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.domain.errors import BadRequestError

_ROLES = {"developer": "system", "function": "tool"}


def conversation(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Text and images apart, the arguments of tool calls as objects, and each tool's answer with the tool's name."""
    tools: dict[str, str] = {}
    told = []
    for message in messages:
        calls = [_call(call) for call in message.get("tool_calls") or ()]
        tools |= {call["id"]: call["function"]["name"] for call in calls if call.get("id")}
        text, images = _content(message.get("content"))
        call_id = message.get("tool_call_id")
        optional = {
            "thinking": message.get("reasoning_content") or message.get("reasoning"),
            "images": images,
            "tool_calls": calls,
            "tool_call_id": call_id,
            "tool_name": tools.get(call_id or "") or (message.get("name") if message["role"] == "function" else None),
        }
        role = message["role"]
        told.append(
            {
                "role": _ROLES.get(role, role),
                "content": text,
                **{name: value for name, value in optional.items() if value},
            }
        )
    return told


def _content(content: Any) -> tuple[str, list[str]]:
    """(text, images in base64) of a message's content."""
    if not isinstance(content, list):
        return content or "", []
    texts, images = [], []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else type(part).__name__
        if kind == "image_url":
            images.append(_image(part.get("image_url")))
        elif kind in ("text", "refusal"):
            texts.append(part.get(kind) or "")
        else:
            raise _bad(f"Ollama takes text and images, not content of type '{kind}'.")
    return "\n".join(texts), images


def _image(given: Any) -> str:
    url = given.get("url") if isinstance(given, dict) else given
    head, _, data = str(url).partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        raise _bad("Ollama can't fetch images: send them as data: URLs in base64.")
    return data


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    if not isinstance(function, dict):
        raise _bad("Ollama only knows tool calls of type 'function'.")
    told = {"function": {"name": function.get("name"), "arguments": _arguments(function.get("arguments"))}}
    return {"id": call["id"], **told} if call.get("id") else told


def _arguments(arguments: Any) -> dict[str, Any]:
    try:
        parsed = orjson.loads(arguments or "{}") if not isinstance(arguments, dict) else arguments
    except ValueError as error:
        raise _bad("The arguments of a tool call are no JSON.") from error
    if not isinstance(parsed, dict):
        raise _bad("The arguments of a tool call are no JSON object.")
    return parsed


def _bad(message: str) -> BadRequestError:
    return BadRequestError(message, param="messages")
