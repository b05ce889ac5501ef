"""A server that speaks OpenAI's API, as vLLM and LM Studio do."""

from __future__ import annotations

from typing import Any

import orjson

from tests.fakes.answers import Answer, Json, Stream
from tests.fakes.model_server import Handler, ModelServer
from tests.fakes.wire import Request

PROMPT_TOKENS = 7
CREATED = 1_764_000_000


def event(data: Any) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


class OpenAiServer(ModelServer):
    """Its base URL is `url` with /v1."""

    def routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("GET", "/v1/models"): self.models,
            ("POST", "/v1/chat/completions"): self.completion,
            ("POST", "/v1/completions"): self.completion,
            ("POST", "/v1/embeddings"): self.embeddings,
        }

    def error(self, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}

    def models(self, request: Request) -> Answer:
        model = {"id": self.model, "object": "model", "created": CREATED, "owned_by": "vllm", "max_model_len": 4096}
        return Json({"object": "list", "data": [model]})

    def completion(self, request: Request) -> Answer:
        if request.body.get("stream"):
            return Stream(self.pieces(request), self.stream_type)
        return Json(self.whole(request))

    def embeddings(self, request: Request) -> Answer:
        given = request.body["input"]
        texts = given if isinstance(given, list) else [given]
        data = [{"object": "embedding", "index": index, "embedding": [0.5, -0.25]} for index in range(len(texts))]
        usage = {"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS}
        return Json({"object": "list", "data": data, "model": self.model, "usage": usage})

    def pieces(self, request: Request) -> list[bytes]:
        with_usage = (request.body.get("stream_options") or {}).get("include_usage")
        events = self.events(request)
        if with_usage:
            events = [{**each, "usage": None} for each in events]
            events.append({**self.head(request), "choices": [], "usage": self.usage()})
        return [event(each) for each in events] + [b"data: [DONE]\n\n"]

    def events(self, request: Request) -> list[dict[str, Any]]:
        """The events of one choice, without usage."""
        head = self.head(request)
        if _is_chat(request):
            deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in self.words), {}]
            said: list[dict[str, Any]] = [{"delta": delta} for delta in deltas]
        else:
            texts = [*self.words, ""]
            said = [{"text": text} for text in texts]
        choices = [{"index": 0, **each, "logprobs": None, "finish_reason": None} for each in said]
        choices[-1]["finish_reason"] = self.finish_reason
        return [{**head, "choices": [choice]} for choice in choices]

    def whole(self, request: Request) -> dict[str, Any]:
        text = "".join(self.words)
        said = {"message": {"role": "assistant", "content": text}} if _is_chat(request) else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": self.finish_reason}
        head = self.head(request)
        return {**head, "object": head["object"].removesuffix(".chunk"), "choices": [choice], "usage": self.usage()}

    def head(self, request: Request) -> dict[str, Any]:
        kind = ("chatcmpl-1", "chat.completion.chunk") if _is_chat(request) else ("cmpl-1", "text_completion")
        return {"id": kind[0], "object": kind[1], "created": CREATED, "model": self.model}

    def usage(self) -> dict[str, int]:
        count = len(self.words)
        return {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": count,
            "total_tokens": PROMPT_TOKENS + count,
        }


def _is_chat(request: Request) -> bool:
    return request.path.endswith("/chat/completions")
