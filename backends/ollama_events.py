"""Ollama's lines as OpenAI's events."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from app.domain.sse import DONE, encode
from backends.legacy import legacy_logprobs

Line = Mapping[str, Any]


class Told:
    """One answer, line by line; `id` and `created` are the same in all of its events."""

    object = "chat.completion.chunk"
    prefix = "chatcmpl-"

    def __init__(self, model: str, created: int) -> None:
        self.ended = self.began = False
        self._head = {
            "id": self.prefix + uuid.uuid4().hex,
            "object": self.object,
            "created": created,
            "model": model,
            "system_fingerprint": "fp_ollama",
        }

    def feed(self, line: Line) -> bytes:
        """The events for one line, those of the end with the last one."""
        self.began = True
        events = b"".join(self._event([choice]) for choice in self._choices(line))
        if not line.get("done"):
            return events
        self.ended = True
        prompt, answer = line.get("prompt_eval_count") or 0, line.get("eval_count") or 0
        usage = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        end = self._choice(None, None, self._finish_reason(line))
        return events + self._event([end]) + self._event([], usage=usage) + DONE

    def _choices(self, line: Line) -> list[dict[str, Any]]:
        raise NotImplementedError

    def _choice(self, said: Any, logprobs: Any, finish_reason: str | None = None) -> dict[str, Any]:
        raise NotImplementedError

    def _finish_reason(self, line: Line) -> str:
        return "length" if line.get("done_reason") == "length" else "stop"

    def _event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return encode(orjson.dumps({**self._head, "choices": choices, **more}))


class ToldChat(Told):
    """The lines of /api/chat."""

    def __init__(self, model: str, created: int) -> None:
        super().__init__(model, created)
        self._began = False
        self._calls = 0

    def _choices(self, line: Line) -> list[dict[str, Any]]:
        message = line.get("message")
        message = message if isinstance(message, dict) else {}
        choices = []
        if not self._began:
            self._began = True
            choices.append(self._choice({"role": "assistant", "content": ""}, None))
        calls = [self._call(call["function"], call.get("id")) for call in message.get("tool_calls") or ()]
        given = {"reasoning_content": message.get("thinking"), "content": message.get("content"), "tool_calls": calls}
        delta = {name: value for name, value in given.items() if value}
        entries = line.get("logprobs")
        logprobs = {"content": [_entry(entry) for entry in entries], "refusal": None} if entries else None
        return [*choices, self._choice(delta, logprobs)] if delta or logprobs else choices

    def _choice(self, said: Any, logprobs: Any, finish_reason: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": said or {}, "logprobs": logprobs, "finish_reason": finish_reason}

    def _finish_reason(self, line: Line) -> str:
        return "tool_calls" if self._calls else super()._finish_reason(line)

    def _call(self, function: Mapping[str, Any], call_id: str | None) -> dict[str, Any]:
        """Ollama gives a tool call whole: one delta has all of it."""
        index, self._calls = self._calls, self._calls + 1
        arguments = orjson.dumps(function.get("arguments") or {}).decode()
        return {
            "index": index,
            "id": call_id or f"call_{uuid.uuid4().hex[:24]}",
            "type": "function",
            "function": {"name": function["name"], "arguments": arguments},
        }


class ToldFurther(ToldChat):
    """The lines of /api/generate, as those of the chat that they go on with."""

    def _choices(self, line: Line) -> list[dict[str, Any]]:
        return super()._choices({**line, "message": {"content": line.get("response")}})


class ToldText(Told):
    """The lines of /api/generate."""

    object = "text_completion"
    prefix = "cmpl-"

    def __init__(self, model: str, created: int) -> None:
        super().__init__(model, created)
        self._offset = 0

    def _choices(self, line: Line) -> list[dict[str, Any]]:
        text, entries = line.get("response") or "", line.get("logprobs")
        logprobs = legacy_logprobs(entries, self._offset) if entries else None
        self._offset += len(text)
        return [self._choice(text, logprobs)] if text or logprobs else []

    def _choice(self, said: Any, logprobs: Any, finish_reason: str | None = None) -> dict[str, Any]:
        return {"index": 0, "text": said or "", "logprobs": logprobs, "finish_reason": finish_reason}


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One token; a runner that does not know its bytes says nothing of them."""
    alternatives = [_token(other) for other in entry.get("top_logprobs") or ()]
    return {**_token(entry), "top_logprobs": alternatives}


def _token(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"token": entry["token"], "logprob": entry["logprob"], "bytes": entry.get("bytes")}
