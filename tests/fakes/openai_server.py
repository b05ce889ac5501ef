"""A server that speaks OpenAI's API, as vLLM and LM Studio do."""

from __future__ import annotations

from typing import Any

import orjson

from tests.fakes.answers import Answer, Json, Stream
from tests.fakes.model_server import Handler, ModelServer, rest_of
from tests.fakes.wire import Request

PROMPT_TOKENS = 7
CREATED = 1_764_000_000

_BEGINNING = "\x01"
_ASSISTANT = "<assistant>"
_UNLESS_TOLD = 16  # how many tokens a completion has with vLLM when nobody says how many


def event(data: Any) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


class OpenAiServer(ModelServer):
    """Its base URL is `url` with /v1. It keeps to the words of the family that `owned_by` names.

    One that was given the beginning of its answer goes on with the words after that, and else says all of them.
    Each character is a token of its prompts.
    """

    owned_by = "vllm"

    def routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("GET", "/v1/models"): self.models,
            ("POST", "/v1/chat/completions"): self.completion,
            ("POST", "/v1/completions"): self.completion,
            ("POST", "/v1/embeddings"): self.embeddings,
            ("POST", "/tokenize"): self.tokenize,
        }

    def error(self, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}

    def models(self, request: Request) -> Answer:
        model = {"id": self.model, "object": "model", "created": CREATED, "owned_by": self.owned_by}
        model["max_model_len"] = 4096
        return Json({"object": "list", "data": [model]})

    def tokenize(self, request: Request) -> Answer:
        if self.owned_by != "vllm":
            return Json(self.error("Not Found"), status=404)
        body = request.body
        if "messages" in body:
            text = _BEGINNING + _rendered(body)
        else:
            text = _BEGINNING * body.get("add_special_tokens", True) + body["prompt"]
        ids = list(map(ord, text))
        return Json({"count": len(ids), "max_model_len": 4096, "tokens": ids, "token_strs": None})

    def completion(self, request: Request) -> Answer:
        if fault := self.fault(request):
            return Json(self.error(fault), status=400)
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
            events.append({**self.head(request), "choices": [], "usage": self.usage(len(self.said(request)))})
        return [event(each) for each in events] + [b"data: [DONE]\n\n"]

    def events(self, request: Request) -> list[dict[str, Any]]:
        """The events of one choice, without usage."""
        head, words = self.head(request), self.said(request)
        if _is_chat(request):
            deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words), {}]
            said: list[dict[str, Any]] = [{"delta": delta} for delta in deltas]
        else:
            texts = [*words, ""]
            said = [{"text": text} for text in texts]
        choices = [{"index": 0, **each, "logprobs": None, "finish_reason": None} for each in said]
        choices[-1]["finish_reason"] = self.finish_reason
        return [{**head, "choices": [choice]} for choice in choices]

    def whole(self, request: Request) -> dict[str, Any]:
        words = self.said(request)
        text = "".join(words)
        said = {"message": {"role": "assistant", "content": text}} if _is_chat(request) else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": self.finish_reason}
        head = self.head(request)
        return {
            **head,
            "object": head["object"].removesuffix(".chunk"),
            "choices": [choice],
            "usage": self.usage(len(words)),
        }

    def said(self, request: Request) -> list[str]:
        """The words of this answer: after what it was given of it, and no more than it may say."""
        words = rest_of(self.words, self.given(request.body))
        body = request.body
        if _is_chat(request):
            return words[: body.get("max_completion_tokens") or body.get("max_tokens")]
        return words[: body.get("max_tokens", _UNLESS_TOLD)]

    def given(self, body: dict[str, Any]) -> str:
        """What the model sees of its own turn."""
        prompt = body.get("prompt")
        if isinstance(prompt, list) and prompt and isinstance(prompt[0], int):
            return "".join(map(chr, prompt)).rpartition(_ASSISTANT)[2]
        goes_on = "messages" in body and (body.get("continue_final_message") or body["messages"][-1].get("prefix"))
        content = body["messages"][-1]["content"] if goes_on else ""
        return str(content)

    def fault(self, request: Request) -> str:
        """What a server of this family has against a request; empty for one that it takes."""
        if not _is_chat(request):
            return ""
        body, last = request.body, request.body["messages"][-1]
        goes_on, begins = body.get("continue_final_message", False), body.get("add_generation_prompt", True)
        if self.owned_by == "mistralai":
            if last["role"] == "assistant" and not last.get("prefix"):
                return "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant"
            return "Extra inputs are not permitted" if "continue_final_message" in body else ""
        if goes_on and begins and self.owned_by == "vllm":
            return "Cannot set both `continue_final_message` and `add_generation_prompt` to True."
        if goes_on and (last["role"] != "assistant" or not last["content"]):
            return "continue_final_message is set but the final message can't be continued"
        return ""

    def head(self, request: Request) -> dict[str, Any]:
        kind = ("chatcmpl-1", "chat.completion.chunk") if _is_chat(request) else ("cmpl-1", "text_completion")
        return {"id": kind[0], "object": kind[1], "created": CREATED, "model": self.model}

    def usage(self, count: int | None = None) -> dict[str, int]:
        count = len(self.words) if count is None else count
        return {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": count,
            "total_tokens": PROMPT_TOKENS + count,
        }


def _rendered(body: dict[str, Any]) -> str:
    """The prompt: each turn closed, and the assistant's opened unless nobody wants it."""
    turns = "".join(f"<{turn['role']}>{turn['content']}<end>" for turn in body["messages"])
    return turns + (_ASSISTANT if body.get("add_generation_prompt", True) else "")


def _is_chat(request: Request) -> bool:
    return request.path.endswith("/chat/completions")
