"""llama.cpp's server: OpenAI's API with its own habits (build b11549, as measured)."""

from __future__ import annotations

from typing import Any

from tests.fakes.answers import Answer, Json
from tests.fakes.openai_server import CREATED, PROMPT_TOKENS, OpenAiServer, event
from tests.fakes.wire import Request


class LlamaCppServer(OpenAiServer):
    """Takes the time anew for each event, begins a chat with `content: null`, sends the usage of a completion with
    its last words, and `logprobs` always in the shape of chat.
    """

    def models(self, request: Request) -> Answer:
        meta = {"vocab_type": 2, "n_vocab": 49152, "n_ctx": 4096, "n_ctx_train": 8192, "n_embd": 576}
        model = {"id": self.model, "object": "model", "created": CREATED, "owned_by": "llamacpp", "meta": meta}
        return Json({"object": "list", "data": [model]})

    def error(self, message: str) -> dict[str, Any]:
        return {"error": {"code": 400, "message": message, "type": "invalid_request_error"}}

    def pieces(self, request: Request) -> list[bytes]:
        events = self.events(request)
        chat = request.path.endswith("/chat/completions")
        for index, each in enumerate(events):
            choice = each["choices"][0]
            if not chat:
                choice.pop("logprobs")
            elif index == 0:
                choice["delta"]["content"] = None
            if request.body.get("logprobs") is not None and (word := self._word(choice)):
                choice["logprobs"] = {"content": [self._logprob(word)]}
        if chat:
            events.append({**self.head(request), "choices": [], "usage": self.usage(), "timings": {"prompt_n": 7}})
        else:
            events[-1] |= {"usage": self.usage(), "timings": {"prompt_n": PROMPT_TOKENS}}
        later = [{**each, "created": CREATED + index} for index, each in enumerate(events)]
        return [event(each) for each in later] + [b"data: [DONE]\n\n"]

    @staticmethod
    def _word(choice: dict[str, Any]) -> str:
        return choice.get("text") or choice.get("delta", {}).get("content") or ""

    @staticmethod
    def _logprob(word: str) -> dict[str, Any]:
        entry = {"id": 5, "token": word, "bytes": list(word.encode()), "logprob": -0.25}
        return {**entry, "top_logprobs": [entry]}
