"""The events of Anthropic's Messages API as OpenAI's chunks.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming; unknown events and deltas are passed over,
as its versioning policy asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from app.domain.sse import DONE, encode
from backends.anthropic_lead import Lead

_FINISHES = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}


class Translation:
    """One answer on its way: `began` once there is something to show, `ended` after `message_stop`.

    The first chunk waits for content, so that a failure before it leaves nothing to take back.
    `lead` holds the white space that the client has already, where this goes on with an answer.
    """

    def __init__(self, model: str, created: int, lead: Lead | None = None) -> None:
        self._lead = lead or Lead("")
        self.began = False
        self.ended = False
        self._head: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": created, "model": model}
        self._usage: dict[str, Any] = {}
        self._finish: str | None = None
        self._calls: dict[int, _Call] = {}

    def feed(self, event: Mapping[str, Any]) -> bytes:
        """The chunks that an event makes; often none."""
        step = _STEPS.get(event.get("type") or "")
        return step(self, event) if step is not None else b""

    def message_start(self, event: Mapping[str, Any]) -> bytes:
        message = event.get("message") or {}
        self._head["id"] = message.get("id") or ""
        self._head["model"] = message.get("model") or self._head["model"]
        self._count(message.get("usage"))
        return b""

    def block_start(self, event: Mapping[str, Any]) -> bytes:
        block = event.get("content_block") or {}
        match block.get("type"):
            case "text":
                return self._text("content", self._lead.feed(block.get("text") or ""))
            case "thinking":
                return self._text("reasoning_content", block.get("thinking"))
            case "tool_use":
                call = self._calls[event.get("index", 0)] = _Call(len(self._calls), block.get("input") or {})
                function = {"name": block.get("name"), "arguments": ""}
                return self._call(call, id=block.get("id"), type="function", function=function)
        return b""

    def block_delta(self, event: Mapping[str, Any]) -> bytes:
        delta = event.get("delta") or {}
        match delta.get("type"):
            case "text_delta":
                return self._text("content", self._lead.feed(delta.get("text") or ""))
            case "thinking_delta":
                return self._text("reasoning_content", delta.get("thinking"))
            case "input_json_delta":
                return self._arguments(event.get("index", 0), delta.get("partial_json"))
        return b""

    def block_stop(self, event: Mapping[str, Any]) -> bytes:
        """A call without arguments comes without a word of them; OpenAI's clients want a JSON object."""
        call = self._calls.get(event.get("index", 0))
        if call is None:
            return self._text("content", self._lead.rest())
        if call.told:
            return b""
        return self._arguments(event.get("index", 0), orjson.dumps(call.given).decode())

    def message_delta(self, event: Mapping[str, Any]) -> bytes:
        self._count(event.get("usage"))
        reason = (event.get("delta") or {}).get("stop_reason")
        return self._end(reason) if reason and self._finish is None else b""

    def message_stop(self, event: Mapping[str, Any]) -> bytes:  # noqa: ARG002 (every step takes its event)
        end = self._end("end_turn") if self._finish is None else b""
        self.ended = True
        return end + encode(orjson.dumps({**self._head, "choices": [], "usage": self._total()})) + DONE

    def _count(self, usage: Any) -> None:
        """The counts so far: later ones are cumulative, and hold only what they know."""
        self._usage.update({name: value for name, value in (usage or {}).items() if value is not None})

    def _total(self) -> dict[str, Any]:
        cached = self._usage.get("cache_read_input_tokens", 0)
        prompt = self._usage.get("input_tokens", 0) + self._usage.get("cache_creation_input_tokens", 0) + cached
        completion = self._usage.get("output_tokens", 0)
        total = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        if details := self._usage.get("output_tokens_details"):
            total["completion_tokens_details"] = {"reasoning_tokens": details.get("thinking_tokens", 0)}
        return total

    def _text(self, field: str, text: str | None) -> bytes:
        return self._chunk({field: text}) if text else b""

    def _arguments(self, block: int, piece: str | None) -> bytes:
        call = self._calls.get(block)
        if call is None or not piece:
            return b""
        call.told = True
        return self._call(call, function={"arguments": piece})

    def _call(self, call: _Call, **fields: Any) -> bytes:
        return self._chunk({"tool_calls": [{"index": call.index, **fields}]})

    def _end(self, reason: str) -> bytes:
        self._finish = _FINISHES.get(reason, "stop")
        return self._chunk({}, self._finish)

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        role = b"" if self.began else self._encode({"role": "assistant", "content": ""})
        self.began = True
        return role + self._encode(delta, finish)

    def _encode(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return encode(orjson.dumps({**self._head, "choices": [choice]}))


class _Call:
    """A tool call: its place in the answer, the arguments that it began with, and whether any were told."""

    __slots__ = ("given", "index", "told")

    def __init__(self, index: int, given: dict[str, Any]) -> None:
        self.index = index
        self.given = given
        self.told = False


_STEPS = {
    "message_start": Translation.message_start,
    "content_block_start": Translation.block_start,
    "content_block_delta": Translation.block_delta,
    "content_block_stop": Translation.block_stop,
    "message_delta": Translation.message_delta,
    "message_stop": Translation.message_stop,
}
