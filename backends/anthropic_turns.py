"""An OpenAI conversation as the turns of Anthropic's Messages API.

A turn that can't be told there raises BadRequestError for `messages`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from app.domain.errors import BadRequestError

Block = dict[str, Any]

_IMAGE_TYPES = ("image/gif", "image/jpeg", "image/png", "image/webp")
_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,", re.IGNORECASE)
_TEXT = frozenset({"text"})
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def conversation(messages: Any) -> tuple[str, list[Block]]:
    """The system prompt, and turns of user and assistant that alternate."""
    system: list[str] = []
    turns: list[Block] = []
    for message in map(json_object, messages):
        if message.get("role") in ("system", "developer"):
            system += [block["text"] for block in _blocks(message.get("content"), only=_TEXT)]
            continue
        role, blocks = _turn(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return "\n\n".join(system), turns


def _turn(message: Mapping[str, Any]) -> tuple[str, list[Block]]:
    match message.get("role"):
        case "user":
            return "user", _blocks(message.get("content"))
        case "assistant":
            calls = [_tool_use(call) for call in message.get("tool_calls") or ()]
            return "assistant", _blocks(message.get("content")) + _blocks(message.get("refusal")) + calls
        case "tool":
            return "user", [_tool_result(message)]
        case role:
            raise _unfit(f"messages with the role {role} can't be used")


def _blocks(content: Any, *, only: frozenset[str] | None = None) -> list[Block]:
    """Content as blocks. Anthropic refuses text of nothing but white space, which other models like to write."""
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    blocks = []
    for part in map(json_object, parts):
        kind = str(part.get("type"))
        if kind not in _PARTS or (only and kind not in only):
            raise _unfit(f"content of type {kind} can't be used here")
        blocks.append(_PARTS[kind](part))
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def _text(part: Mapping[str, Any]) -> Block:
    return {"type": "text", "text": str(part.get("text") or "")}


def _refusal(part: Mapping[str, Any]) -> Block:
    return {"type": "text", "text": str(part.get("refusal") or "")}


def _image(part: Mapping[str, Any]) -> Block:
    url = str(json_object(part.get("image_url")).get("url"))
    if url.startswith(("https://", "http://")):
        return {"type": "image", "source": {"type": "url", "url": url}}
    head = _DATA_URL.match(url)
    if head is None or head[1].lower() not in _IMAGE_TYPES:
        raise _unfit(f"an image must be an http(s) URL or a base64 data URL of {', '.join(_IMAGE_TYPES)}")
    source = {"type": "base64", "media_type": head[1].lower(), "data": url[head.end() :]}
    return {"type": "image", "source": source}


_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Block]] = {"text": _text, "refusal": _refusal, "image_url": _image}


def _tool_use(given: Any) -> Block:
    call = json_object(given)
    function = json_object(call.get("function"))
    if not function:
        raise _unfit("only tool calls of type function can be used")
    try:
        arguments = orjson.loads(function.get("arguments") or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise _unfit(f"the arguments of tool call {call.get('id')} are no JSON object")
    return {"type": "tool_use", "id": _id(call.get("id")), "name": function.get("name"), "input": arguments}


def _tool_result(message: Mapping[str, Any]) -> Block:
    result: Block = {"type": "tool_result", "tool_use_id": _id(message.get("tool_call_id"))}
    if content := _blocks(message.get("content")):
        result["content"] = content
    return result


def _id(given: Any) -> str:
    """Calls of other models may have characters in their ids that Anthropic refuses."""
    return _NOT_IN_AN_ID.sub("_", str(given))


def json_object(value: Any) -> Mapping[str, Any]:
    """A JSON object, or an empty one in place of anything else: what is missing from it is refused above."""
    return value if isinstance(value, dict) else {}


def _unfit(reason: str) -> BadRequestError:
    return BadRequestError(f"{reason}.", param="messages")
