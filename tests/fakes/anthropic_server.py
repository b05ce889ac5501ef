"""A server that keeps to Anthropic's Messages API, and refuses what the real one refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.fakes.answers import Answer, Json, Stream
from tests.fakes.model_server import WORDS, Handler, ModelServer, rest_of
from tests.fakes.wire import Request

_REQUIRED = frozenset({"max_tokens", "messages", "model"})
_SAMPLING = frozenset({"temperature", "top_k", "top_p"})
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_TOOLS = frozenset({"tool_choice", "tools"})
_OTHERS = frozenset({"metadata", "output_config", "stop_sequences", "stream", "system", "thinking"})


@dataclass(frozen=True)
class Block:
    """A content block as it is streamed."""

    start: Mapping[str, Any]
    deltas: Sequence[Mapping[str, Any]]


def text(*pieces: str) -> Block:
    return Block({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces])


def thinking(*pieces: str) -> Block:
    thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    return Block(
        {"type": "thinking", "thinking": "", "signature": ""},
        [*thoughts, {"type": "signature_delta", "signature": "EqQBCgIYAhIM"}],
    )


def tool_use(id: str, name: str, *pieces: str) -> Block:
    """As the API does it, an empty piece comes first; without arguments it is the only one."""
    start = {"type": "tool_use", "id": id, "name": name, "input": {}}
    return Block(start, [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)])


def events(
    content: Sequence[Block],
    *,
    stop_reason: str = "end_turn",
    model: str = "small",
    usage: Mapping[str, Any] | None = None,
    output: Mapping[str, Any] | None = None,
) -> Iterator[dict[str, Any]]:
    """A whole answer; `usage` is what its beginning counts and `output` what its end does."""
    message = {"id": "msg_01", "type": "message", "role": "assistant", "content": [], "model": model}
    counted = usage or {"input_tokens": 10, "output_tokens": 1}
    started = {**message, "stop_reason": None, "stop_sequence": None, "usage": counted}
    yield {"type": "message_start", "message": started}
    yield {"type": "ping"}
    for index, block in enumerate(content):
        yield {"type": "content_block_start", "index": index, "content_block": dict(block.start)}
        for delta in block.deltas:
            yield {"type": "content_block_delta", "index": index, "delta": dict(delta)}
        yield {"type": "content_block_stop", "index": index}
    end = {"stop_reason": stop_reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": dict(output or {"output_tokens": 5})}
    yield {"type": "message_stop"}


def wire(event: Mapping[str, Any]) -> bytes:
    """One event on the wire: the official client passes over those without a name."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


def error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_01"}


class AnthropicServer(ModelServer):
    """Its base URL is `url` with /v1. `content` is its answer when that is not just words, `listed` its models.

    It goes on with an assistant's turn at the end, as Claude up to 4.5 does, unless `prefills` is false.
    """

    prefills = True

    def __init__(self, words: Sequence[str] = WORDS, api_key: str | None = None) -> None:
        super().__init__(words, api_key)
        self.content: Sequence[Block] | None = None
        self.listed: list[dict[str, Any]] = [{"type": "model", "id": self.model, "created_at": "2026-02-05T00:00:00Z"}]

    def routes(self) -> dict[tuple[str, str], Handler]:
        return {("GET", "/v1/models"): self.models, ("POST", "/v1/messages"): self.messages}

    def pieces(self, request: Request) -> list[bytes]:
        content = [text(*self._said(request.body))] if self.content is None else self.content
        stop_reason = _STOP_REASONS[self.finish_reason]
        return [wire(event) for event in events(content, stop_reason=stop_reason, model=self.model)]

    def error(self, message: str) -> dict[str, Any]:
        return error("invalid_request_error", message)

    def knows(self, request: Request) -> bool:
        return request.headers.get("x-api-key") == self.api_key

    def messages(self, request: Request) -> Answer:
        fault = _fault(request.body, request.headers.get("anthropic-version")) or self._ending_fault(request.body)
        return Json(self.error(fault), status=400) if fault else Stream(self.pieces(request), self.stream_type)

    def _said(self, body: Mapping[str, Any]) -> list[str]:
        last = body["messages"][-1]
        given = "".join(block["text"] for block in last["content"]) if last["role"] == "assistant" else ""
        return rest_of(self.words, given)[: body["max_tokens"]]

    def _ending_fault(self, body: Mapping[str, Any]) -> str:
        last = body["messages"][-1]
        if last["role"] != "assistant":
            return ""
        if not self.prefills:
            return "This model does not support assistant message prefill."
        if body.get("thinking", {}).get("type") == "enabled":
            return "When `thinking` is enabled, a final `assistant` message must start with a thinking block"
        text = last["content"][-1].get("text", "")
        return "messages: final assistant content cannot end with trailing whitespace" if text != text.rstrip() else ""

    def models(self, request: Request) -> Answer:
        query = parse_qs(urlsplit(request.path).query)
        size = int(query.get("limit", ["20"])[0])
        if size > 1000:
            return Json(self.error("limit: Input should be less than or equal to 1000"), status=400)
        ids = [model["id"] for model in self.listed]
        first = ids.index(query["after_id"][0]) + 1 if "after_id" in query else 0
        page = ids[first : first + size]
        ends = {"first_id": page[0] if page else None, "last_id": page[-1] if page else None}
        return Json({"data": self.listed[first : first + size], "has_more": first + size < len(ids), **ends})


def _fault(body: Mapping[str, Any], version: str | None) -> str:
    """What the real API would say against a request, in its own words."""
    if version is None:
        return "anthropic-version: header is required"
    if unknown := set(body) - _REQUIRED - _SAMPLING - _TOOLS - _OTHERS:
        return f"{min(unknown)}: Extra inputs are not permitted"
    if missing := _REQUIRED - set(body):
        return f"{min(missing)}: Field required"
    if version >= "2026-10-21" and _SAMPLING & set(body):
        return "temperature, top_p and top_k are not supported in this API version"
    if not 0 <= body.get("temperature", 1) <= 1:
        return "temperature: range: 0..1"
    if "tool_choice" in body and not body.get("tools"):
        return "tool_choice may only be specified while providing tools"
    if not body["messages"]:
        return "messages: at least one message is required"
    return next(filter(None, map(_content_fault, body["messages"])), "") or _pairing_fault(body["messages"])


def _content_fault(message: Mapping[str, Any]) -> str:
    if message["role"] not in ("user", "assistant"):
        return f"messages: Unexpected role {message['role']}"
    if not message["content"]:
        return "messages: all messages must have non-empty content"
    if any(not block["text"].strip() for block in message["content"] if block["type"] == "text"):
        return "messages: text content blocks must contain non-whitespace text"
    return ""


def _pairing_fault(messages: Sequence[Mapping[str, Any]]) -> str:
    for message, following in pairwise([{"content": []}, *messages, {"content": []}]):
        used = {block["id"] for block in message["content"] if block["type"] == "tool_use"}
        answered = {block["tool_use_id"] for block in following["content"] if block["type"] == "tool_result"}
        if used != answered:
            return "`tool_use` ids were found without `tool_result` blocks immediately after"
    return ""
