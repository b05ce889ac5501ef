"""A server of vLLM's kind whose every answer is the same: it goes on with one that was begun, and fails as it is told.

    async with FaultyServer("a") as server:
        server.faults.append(cut(40))

What it is given of the answer must be its very beginning, to the letter: a character that was lost or doubled on the
way is a 400, as no model would notice.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.fakes.answers import Answer, Json, Stream
from tests.fakes.faults import Fault, Said
from tests.fakes.model_server import Handler
from tests.fakes.openai_server import CREATED, OpenAiServer, event
from tests.fakes.sixty_tokens import ARGUMENTS, DOCUMENT, LOOKING, TEXT, TOKENS, detokenise, rest_of, tokenise
from tests.fakes.wire import Request, Wire

_ASSISTANT = "<|assistant|>"
#: How many tokens vLLM writes after a text when nobody says how many.
_UNLESS_TOLD = 16


@dataclass(frozen=True)
class Counted:
    """An answer that its server counts while it is being sent."""

    server: FaultyServer
    answer: Answer

    async def send(self, wire: Wire) -> None:
        self.server.open += 1
        self.server.most_open = max(self.server.most_open, self.server.open)
        try:
            await self.answer.send(wire)
        finally:
            self.server.open -= 1


class FaultyServer(OpenAiServer):
    """`faults` are those of the next streamed answers, one each. `open` answers are being sent now.

    `owner` is what it calls itself. `hold` lets it write only as far as `write` says. A server that does not continue
    refuses each of the ways to ask for that; one that `echoes` begins with what it was given, one that `restarts_words`
    with the last word of it, if that is only a part of one.
    """

    def __init__(self, name: str) -> None:
        super().__init__(TOKENS)
        self.name = name
        self.prompt = "Hi"
        self.owner = "vllm"
        self.faults: deque[Fault] = deque()
        self.continues = True
        self.echoes = False
        self.restarts_words = False
        self.open = 0
        self.most_open = 0
        self._gates: tuple[asyncio.Event, ...] = ()
        self._told = 0

    @property
    def asked_to_write(self) -> list[Request]:
        """The requests for an answer, in the order in which they came; who wants one token lets it only read ahead."""
        asked = [each for each in self.requests if each.body is not None and each.body.get("stream")]
        return [each for each in asked if each.body.get("max_tokens") != 1]

    def hold(self) -> None:
        """Write nothing until it is allowed."""
        self._gates = tuple(asyncio.Event() for _ in (*TOKENS, "the end"))

    def write(self, tokens: int) -> None:
        """Let the answers go on to so many tokens of the whole; beyond the last one, to their end."""
        for gate in self._gates[:tokens]:
            gate.set()

    def routes(self) -> dict[tuple[str, str], Handler]:
        return {**super().routes(), ("POST", "/tokenize"): self.tokenise}

    def models(self, request: Request) -> Answer:
        model = {"id": self.model, "object": "model", "created": CREATED, "owned_by": self.owner}
        return Json({"object": "list", "data": [model]})

    def answer(self, request: Request) -> Answer:
        if isinstance(request.body, dict):  # a server with one model takes a request that names none
            request = replace(request, body={"model": self.model, **request.body})
        return super().answer(request)

    def tokenise(self, request: Request) -> Answer:
        if not self.continues:
            return Json(self.error("Not Found"), status=404)
        ids = tokenise(self.rendered(request.body))
        return Json({"count": len(ids), "max_model_len": 4096, "tokens": ids, "token_strs": None})

    def completion(self, request: Request) -> Answer:
        body = request.body
        try:
            said, left = self._said(request)
        except ValueError as error:
            return Json(self.error(str(error)), status=400)
        if not body.get("stream"):
            return Json(self._as_object(request, left))
        fault = self.faults.popleft() if self.faults else self._without_fault(request)
        return Counted(self, fault(said))

    def rendered(self, body: Mapping[str, Any]) -> str:
        """The prompt as the model sees it. Raises ValueError for what the server refuses."""
        if "messages" not in body:
            prompt = body["prompt"]
            return prompt if isinstance(prompt, str) else detokenise(prompt)
        goes_on, begins = body.get("continue_final_message", False), body.get("add_generation_prompt", True)
        if goes_on and begins:
            raise ValueError("Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
        if goes_on and (not self.continues or not body["messages"][-1].get("content")):
            raise ValueError("continue_final_message is set but the final message can't be continued")
        turns = "".join(f"<|{turn['role']}|>{turn.get('content') or ''}<|end|>" for turn in body["messages"])
        return turns.removesuffix("<|end|>") if goes_on else turns + _ASSISTANT * begins

    def pieces(self, request: Request) -> list[bytes]:
        return self._said(request)[0].whole()

    def head(self, request: Request) -> dict[str, Any]:
        """No two servers, and no two answers of one, are told alike."""
        self._told += 1
        kind = ("chatcmpl", "chat.completion.chunk") if _is_chat(request) else ("cmpl", "text_completion")
        created = CREATED + 1000 * ord(self.name[0]) + self._told
        return {"id": f"{kind[0]}-{self.name}-{self._told}", "object": kind[1], "created": created, "model": self.model}

    def _without_fault(self, request: Request) -> Fault:
        written = self._written(request.body)

        def whole(said: Said) -> Answer:
            if not self._gates:
                return Stream(said.whole(), apart=True)
            gates = self._gates[len(TOKENS) - len(rest_of(TOKENS, written)) if TEXT.startswith(written) else 0 :]
            told = [part for gate, token in zip(gates, said.tokens, strict=False) for part in (gate, token)]
            return Stream([*said.role, *told, self._gates[-1], *said.rest(len(said.tokens))], apart=True)

        return whole

    def _written(self, body: Mapping[str, Any]) -> str:
        """What of the answer is there already."""
        prompt = self.rendered(body)
        if _ASSISTANT in prompt:
            return prompt.rpartition(_ASSISTANT)[2]
        if not prompt.startswith(self.prompt):
            raise ValueError("another prompt than before")
        written = prompt.removeprefix(self.prompt)
        if not self.continues and (written or not isinstance(body["prompt"], str)):
            raise ValueError("no prompt of that kind")
        return written

    def _left(self, body: Mapping[str, Any], written: str) -> tuple[list[str], str]:
        """The tokens to write, and the finish_reason."""
        limits = body.get("max_completion_tokens"), body.get("max_tokens", None if "messages" in body else _UNLESS_TOLD)
        most = next((limit for limit in limits if limit is not None), None)
        if most is not None and most < 1:
            raise ValueError(f"max_tokens must be at least 1, got {most}.")
        if (body.get("response_format") or {}).get("type") in ("json_schema", "json_object"):
            return list(DOCUMENT), "stop"  # a constraint knows nothing of what was written: it begins anew
        left = rest_of(LOOKING if body.get("tools") else TOKENS, written)
        if self.restarts_words and left and left[0][0].isalpha() and (cut := re.search(r"\w+$", written)) is not None:
            left.insert(0, cut.group())
        left, reason = left[:most], "stop" if most is None or len(left) <= most else "length"
        stops = body.get("stop") or []
        return _up_to_a_stop(left, [stops] if isinstance(stops, str) else stops, reason)

    def _said(self, request: Request) -> tuple[Said, list[str]]:
        body = request.body
        written = self._written(body)
        left, reason = self._left(body, written)
        head, chat = self.head(request), _is_chat(request)
        deltas = [self._delta(body, token, chat) for token in left]
        if self.echoes and written and chat:
            deltas.insert(0, {"delta": {"content": written}})
        if body.get("tools") and chat:
            deltas += [{"delta": {"tool_calls": [each]}} for each in _call()]
            reason = "tool_calls"
        empty: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
        role = [{"delta": {"role": "assistant", "content": ""}}] if chat else []

        def told(choice: dict[str, Any], finish_reason: str | None = None) -> bytes:
            said = {"index": 0, "logprobs": None, **choice, "finish_reason": finish_reason}
            return event({**head, "choices": [said]})

        usage = [event({**head, "choices": [], "usage": self._usage(body, len(left))})] if _wants_usage(body) else []
        tokens = tuple(map(told, deltas))
        return Said(tuple(map(told, role)), tokens, told(empty, reason), tuple(usage)), left

    def _delta(self, body: Mapping[str, Any], token: str, chat: bool) -> dict[str, Any]:
        if chat:
            logprob = {"token": token, "logprob": -0.25, "bytes": list(token.encode()), "top_logprobs": []}
            return {"delta": {"content": token}, "logprobs": {"content": [logprob]} if body.get("logprobs") else None}
        told = {"tokens": [token], "token_logprobs": [-0.25], "top_logprobs": [{token: -0.25}], "text_offset": [0]}
        return {"text": token, "logprobs": told if body.get("logprobs") is not None else None}

    def _usage(self, body: Mapping[str, Any], written: int) -> dict[str, int]:
        read = len(tokenise(self.rendered(body)))
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def _as_object(self, request: Request, left: Sequence[str]) -> dict[str, Any]:
        text = "".join(left)
        said = {"message": {"role": "assistant", "content": text}} if _is_chat(request) else {"text": text}
        head, usage = self.head(request), self._usage(request.body, len(left))
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": "length"}
        return {**head, "object": head["object"].removesuffix(".chunk"), "choices": [choice], "usage": usage}


def _up_to_a_stop(tokens: Sequence[str], stops: Sequence[str], reason: str) -> tuple[list[str], str]:
    """Sent as it is written: the beginning of a stop string that takes several tokens is gone before it is known."""
    written = ""
    for place, token in enumerate(tokens):
        found = [at for stop in stops if (at := (written + token).find(stop)) >= 0]
        if found:
            kept = token[: max(0, min(found) - len(written))]
            return [*tokens[:place], *([kept] if kept else [])], "stop"
        written += token
    return list(tokens), reason


def _call() -> list[dict[str, Any]]:
    """One call of a tool, as it is told in pieces."""
    begun = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    return [begun, *({"index": 0, "function": {"arguments": piece}} for piece in ARGUMENTS)]


def _wants_usage(body: Mapping[str, Any]) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))


def _is_chat(request: Request) -> bool:
    return request.path.endswith("/chat/completions")
