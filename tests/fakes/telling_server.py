"""A server whose model is as sure of its words as a test wants, and says so to whoever asks for log-probabilities.

async with TellingServer("tiny-1b", ("Sydney", ".")) as server:
    server.sure = [-0.1, -3.0]
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.fakes.answers import Answer, Cut, Json, Stream
from tests.fakes.openai_server import OpenAiServer, event
from tests.fakes.wire import Request

_TOKEN = re.compile(r"\s?\w+|[^\w\s]")

#: Makes of an honest `logprobs` what the server sends instead; the number is that of the word.
Distort = Callable[[int, Any], Any]


class TellingServer(OpenAiServer):
    """`sure` are the log-probabilities of its words, the last one for all that follow. `rest` is what it says after a
    beginning that is not its own. `distort` spoils what it tells. `plain` ones know nothing of `logprobs` and answer
    400, as `rejecting` ones do to whatever is asked. `faults` are what the next answers end in, and after how many
    words; `gates` are waited for before the word of that number. `call` is told as the arguments of a tool call;
    `prompt` is what a text goes on with.
    """

    def __init__(self, model: str, words: Sequence[str], sure: Sequence[float] = (-0.05,)) -> None:
        super().__init__(words)
        self.model = model
        self.sure: Sequence[float] = sure
        self.rest: Sequence[str] = ()
        self.distort: Distort | None = None
        self.plain = self.rejecting = False
        self.faults: deque[tuple[int, Cut]] = deque()
        self.gates: dict[int, asyncio.Event] = {}
        self.call = ""
        self.prompt = "Hi"
        self._read = 0  # tokens of the answer that were given to it

    @property
    def asked_to_write(self) -> list[Request]:
        """The requests for an answer, in the order in which they came; who wants one token lets it only read ahead."""
        asked = [each for each in self.requests if each.path.endswith("/completions")]
        return [each for each in asked if each.body.get("max_tokens") != 1]

    @property
    def given_to_go_on(self) -> list[str]:
        """What of its own turn it was given with each request."""
        return [self.given(each.body) for each in self.asked_to_write]

    def fault(self, request: Request) -> str:
        if self.rejecting:
            return "No."
        if self.plain and request.body.get("logprobs") is not None:
            return "Unrecognized request argument supplied: logprobs"
        return super().fault(request)

    def completion(self, request: Request) -> Answer:
        if fault := self.fault(request):
            return Json(self.error(fault), status=400)
        self._read = len(_TOKEN.findall(self.given(request.body)))
        if not request.body.get("stream"):
            return Json(self.whole(request))
        pieces: list[bytes | asyncio.Event | Cut] = list(self.pieces(request))
        role = 1 if request.path.endswith("/chat/completions") else 0
        if self.faults:
            words, how = self.faults.popleft()
            pieces = [*pieces[: max(0, role + words)], how]
        for word in sorted(self.gates, reverse=True):
            pieces.insert(role + word, self.gates[word])
        return Stream(pieces, apart=True)

    def given(self, body: dict[str, Any]) -> str:
        prompt = body.get("prompt")
        return prompt.removeprefix(self.prompt) if isinstance(prompt, str) else super().given(body)

    def usage(self, count: int | None = None) -> dict[str, int]:
        usage = super().usage(count)
        return {name: told + self._read * (name != "completion_tokens") for name, told in usage.items()}

    def said(self, request: Request) -> list[str]:
        given = self.given(request.body)
        if given and not "".join(self.words).startswith(given):
            return list(self.rest)
        return super().said(request)

    def events(self, request: Request) -> list[dict[str, Any]]:
        events, chat = super().events(request), request.path.endswith("/chat/completions")
        told = self._told(request)
        for each in events[1:-1] if chat else events[:-1]:
            each["choices"][0]["logprobs"] = next(told)
        if self.call and chat:
            function = {"name": "weather", "arguments": self.call}
            calling = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
            choice = {"index": 0, "delta": {"tool_calls": calling}, "logprobs": None, "finish_reason": None}
            events.insert(-1, {**self.head(request), "choices": [choice]})
            events[-1]["choices"][0]["finish_reason"] = "tool_calls"
        return events

    def pieces(self, request: Request) -> list[bytes]:
        count = request.body.get("n") or 1
        if count == 1:
            return super().pieces(request)
        many = [
            {**each, "choices": [{**each["choices"][0], "index": index}]}
            for each in self.events(request)
            for index in range(count)
        ]
        return [*map(event, many), b"data: [DONE]\n\n"]

    def whole(self, request: Request) -> dict[str, Any]:
        whole, told = super().whole(request), list(self._told(request))
        kinds = [each for each in told if each is not None]
        if kinds:
            merged = {key: [item for each in kinds for item in each[key] or ()] for key in kinds[0]}
            whole["choices"][0]["logprobs"] = merged
        return whole

    def _told(self, request: Request) -> Iterator[Any]:
        """The `logprobs` of each word; None where they were not asked for."""
        body, chat, offset = request.body, request.path.endswith("/chat/completions"), 0
        wanted = bool(body.get("logprobs")) if chat else body.get("logprobs") is not None
        for place, word in enumerate(self.said(request)):
            sure = self.sure[min(place, len(self.sure) - 1)]
            shape = _of_chat(word, sure, body.get("top_logprobs") or 0) if chat else None
            honest = shape if chat else _of_text(word, sure, body.get("logprobs") or 0, offset)
            offset += len(word)
            told = honest if self.distort is None else self.distort(place, honest)
            yield told if wanted else None


def _most_likely(word: str, sure: float, count: int) -> list[tuple[str, float]]:
    """What is left of the probability is shared by two others; the most likely first."""
    left = max(1.0 - math.exp(sure), 1e-9)
    others = [(f"{word}?", math.log(0.7 * left)), (f"{word}!", math.log(0.2 * left))]
    return sorted([(word, sure), *others], key=lambda each: -each[1])[:count]


def _of_chat(word: str, sure: float, count: int) -> dict[str, Any]:
    def each(token: str, logprob: float) -> dict[str, Any]:
        return {"token": token, "logprob": logprob, "bytes": list(token.encode())}

    top = [each(*likely) for likely in _most_likely(word, sure, count)]
    return {"content": [{**each(word, sure), "top_logprobs": top}], "refusal": None}


def _of_text(word: str, sure: float, count: int, offset: int) -> dict[str, Any]:
    top = dict(_most_likely(word, sure, count))
    return {"tokens": [word], "token_logprobs": [sure], "top_logprobs": [top], "text_offset": [offset]}
