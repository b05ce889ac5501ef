"""Ollama's native API, as its main branch of 2026 has it: NDJSON lines, its own names, its own errors."""

from __future__ import annotations

from typing import Any

import orjson

from tests.fakes.answers import Answer, Json, Stream
from tests.fakes.model_server import Handler, ModelServer, rest_of
from tests.fakes.wire import Request

PROMPT_TOKENS = 7
CREATED_AT = "2026-11-23T18:00:00.000000Z"

_ASSISTANT = "<assistant>"


def line(data: Any) -> bytes:
    return orjson.dumps(data) + b"\n"


class OllamaServer(ModelServer):
    """`thoughts` come before the words, `tool_calls` after them; `shown` is what /api/show says of the model.

    Its template closes each turn and opens the assistant's. What follows that in a raw prompt is the beginning of an
    answer, and it goes on after it. One that does not `render` is older than 0.11.5.
    """

    model = "small:latest"
    stream_type = "application/x-ndjson"

    thoughts: tuple[str, ...] = ()
    tool_calls: tuple[dict[str, Any], ...] = ()
    digest = "sha256:1"
    prompt_tokens = PROMPT_TOKENS
    renders = True
    shown: dict[str, Any]

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.shown = {
            "details": {"family": "llama", "families": ["llama"], "format": "gguf", "parameter_size": "1B"},
            "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
            "capabilities": ["completion", "tools"],
        }

    def routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("GET", "/api/tags"): self.tags,
            ("POST", "/api/show"): self.show,
            ("POST", "/api/chat"): self.stream,
            ("POST", "/api/generate"): self.stream,
            ("POST", "/api/embed"): self.embed,
        }

    def error(self, message: str) -> dict[str, Any]:
        return {"error": message}

    def tags(self, request: Request) -> Answer:
        model = {"name": self.model, "model": self.model, "modified_at": CREATED_AT, "size": 1, "digest": self.digest}
        return Json({"models": [{**model, "details": {"family": "llama", "format": "gguf"}}]})

    def show(self, request: Request) -> Answer:
        return Json(self.shown)

    def stream(self, request: Request) -> Answer:
        body = request.body
        if self.renders and body.get("_debug_render_only"):
            turns = "".join(f"<{turn['role']}>{turn['content']}<end>" for turn in body["messages"])
            shown = {"rendered_template": turns + _ASSISTANT}
            head = {"model": self.model, "created_at": CREATED_AT, "message": {"role": "", "content": ""}}
            return Json({**head, "done": False, "_debug_info": shown})
        if body.get("stream") is False:
            message = {"role": "assistant", "content": "".join(self.said(request))}
            return Json({"model": self.model, "created_at": CREATED_AT, "message": message, "done": True})
        return Stream(self.pieces(request), self.stream_type)

    def embed(self, request: Request) -> Answer:
        given = request.body["input"]
        count = len(given) if isinstance(given, list) else 1
        return Json(
            {"model": self.model, "embeddings": [[0.5, -0.25]] * count, "prompt_eval_count": self.prompt_tokens}
        )

    def pieces(self, request: Request) -> list[bytes]:
        head = {"model": self.model, "created_at": CREATED_AT}
        chat, words = request.path == "/api/chat", self.said(request)
        lines: list[dict[str, Any]] = []
        if chat:
            said: list[dict[str, Any]] = [{"content": "", "thinking": thought} for thought in self.thoughts]
            said += [{"content": word} for word in words]
            said += [{"content": "", "tool_calls": [call]} for call in self.tool_calls]
            lines = [{**head, "message": {"role": "assistant", **each}, "done": False} for each in said]
        else:
            lines = [{**head, "response": word, "done": False} for word in words]
        if request.body.get("logprobs"):
            for each, word in zip(lines, words, strict=False):
                each["logprobs"] = [self._logprob(word, request.body.get("top_logprobs") or 0)]
        empty: dict[str, Any] = {"message": {"role": "assistant", "content": ""}} if chat else {"response": ""}
        counts = {"prompt_eval_count": self.prompt_tokens, "eval_count": len(words)}
        durations = {"total_duration": 5, "load_duration": 1, "prompt_eval_duration": 1, "eval_duration": 3}
        last = {**head, **empty, "done": True, "done_reason": self.finish_reason, **durations, **counts}
        return [line(each) for each in (*lines, last)]

    def said(self, request: Request) -> list[str]:
        """The words of this answer: after what it was given of it, and no more than it may say."""
        body = request.body
        given = body["prompt"].rpartition(_ASSISTANT)[2] if body.get("raw") else ""
        return rest_of(self.words, given)[: body["options"].get("num_predict")]

    @staticmethod
    def _logprob(word: str, alternatives: int) -> dict[str, Any]:
        entry = {"token": word, "logprob": -0.25}
        return {**entry, "top_logprobs": [entry] * min(alternatives, 1)} if alternatives else entry
