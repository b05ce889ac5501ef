"""llama.cpp's server: OpenAI's API with its own habits, and what it offers beside that (build b11549, as measured).

What it remembers of a prompt is in its slots, and a saved slot is a real file in the server's own format.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.fakes.answers import Answer, Json, Stream
from tests.fakes.model_server import Handler, rest_of
from tests.fakes.openai_server import CREATED, OpenAiServer, event
from tests.fakes.wire import Request, Wire

STATE_BYTES = 64  # for each token
_ASSISTANT = "<|assistant|>"
_PIECES = re.compile(r"<\|\w+\|>|\s?[^\s<]+|\s|<")
_VOCABULARY: dict[bytes, int] = {}  # every server has the same model


def tokenise(text: str) -> list[int]:
    """A word is one token, but a token has at most two bytes of what is not ASCII: characters have several."""
    found: list[bytes] = []
    for piece in _PIECES.findall(text):
        data = piece.encode()
        found += [data] if piece.isascii() else [data[start : start + 2] for start in range(0, len(data), 2)]
    return [_VOCABULARY.setdefault(data, len(_VOCABULARY)) for data in found]


def detokenise(ids: Sequence[int]) -> str:
    known = list(_VOCABULARY)
    return b"".join(known[number] for number in ids).decode(errors="replace")


def slot_file(ids: Sequence[int], state_bytes: int = STATE_BYTES) -> bytes:
    """In the packed format, without media."""
    words = [-1, 1, len(ids), *ids, 0]
    return struct.pack(f"<III{len(words)}i", 0x67677371, 4, len(words), *words) + bytes(state_bytes * len(ids))


@dataclass(frozen=True)
class Later:
    """What comes of an act that waits for its time."""

    time: asyncio.Event
    act: Callable[[], Answer]

    async def send(self, wire: Wire) -> None:
        await self.time.wait()
        await self.act().send(wire)


class LlamaCppServer(OpenAiServer):
    """Takes the time anew for each event, begins a chat with `content: null`, sends the usage of a completion with
    its last words, and `logprobs` always in the shape of chat.

    `writes` is after how many words an answer waits for `go`; its slot then lacks the last token, and has `ahead` more.
    A server that `forgets` restores nothing, one that `echoes` begins with what it was given, one that
    `ignores_schemas` says its words whatever is asked. `saves` is when it gets round to saving a slot. A request that
    names no slot is put where nothing is remembered.
    """

    owned_by = "llamacpp"

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.slots: list[list[int]] = [[], []]
        self.slot_directory: Path | None = None
        self.props: dict[str, Any] | None = {"total_slots": len(self.slots), "model_path": __file__}
        self.writes: int | None = None
        self.ahead = 0
        self.state_bytes = STATE_BYTES
        self.go = asyncio.Event()
        self.saves = asyncio.Event()
        self.saves.set()
        self.forgets = self.echoes = self.ignores_schemas = False

    def routes(self) -> dict[tuple[str, str], Handler]:
        slots = {("POST", f"/slots/{number}"): self.act_on_slot for number in range(len(self.slots))}
        return {
            **super().routes(),
            ("GET", "/props"): self.describe,
            ("POST", "/apply-template"): lambda request: Json({"prompt": self.rendered(request.body)}),
            ("POST", "/tokenize"): lambda request: Json({"tokens": tokenise(request.body["content"])}),
            ("POST", "/detokenize"): lambda request: Json({"content": detokenise(request.body["tokens"])}),
            **slots,
        }

    def answer(self, request: Request) -> Answer:
        if not request.path.startswith("/v1") and isinstance(request.body, dict):  # no model is named there
            request.body.setdefault("model", self.model)
        return super().answer(request)

    def describe(self, request: Request) -> Answer:
        return Json(self.props) if self.props is not None else Json(self.error("Not Found"), status=404)

    def models(self, request: Request) -> Answer:
        meta = {"vocab_type": 2, "n_vocab": 49152, "n_ctx": 4096, "n_ctx_train": 8192, "n_embd": 576}
        model = {"id": self.model, "object": "model", "created": CREATED, "owned_by": self.owned_by, "meta": meta}
        return Json({"object": "list", "data": [model]})

    def error(self, message: str) -> dict[str, Any]:
        return {"error": {"code": 400, "message": message, "type": "invalid_request_error"}}

    def fault(self, request: Request) -> str:
        if request.body.get("continue_final_message") and request.body.get("add_generation_prompt", True):
            return "Cannot set both add_generation_prompt and continue_final_message to true."
        return ""

    def completion(self, request: Request) -> Answer:
        if fault := self.fault(request):
            return Json(self.error(fault), status=400)
        streams = request.body.get("stream")
        answer = self._stream(request) if streams else Json(self.whole(request))
        self._remember(request, self.writes if streams else None)
        return answer

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
        usage = {"usage": self.counted(request), "timings": {"prompt_n": 7}}
        if chat:
            events.append({**self.head(request), "choices": [], **usage})
        else:
            events[-1] |= usage
        later = [{**each, "created": CREATED + index} for index, each in enumerate(events)]
        return [event(each) for each in later] + [b"data: [DONE]\n\n"]

    def events(self, request: Request) -> list[dict[str, Any]]:
        events = super().events(request)
        if request.body.get("max_tokens") == len(self.said(request)):
            events[-1]["choices"][0]["finish_reason"] = "length"
        return events

    def whole(self, request: Request) -> dict[str, Any]:
        return {**super().whole(request), "usage": self.counted(request)}

    def said(self, request: Request) -> list[str]:
        body, given, words = request.body, self.given(request.body), list(self.words)
        if "response_format" in body and not self.ignores_schemas and not "".join(words).startswith(given):
            words = [_document(body["response_format"]["json_schema"]["schema"])]
        rest = rest_of(words, given)
        if self.echoes and given:
            rest = [given, *rest]
        return rest[: body.get("max_completion_tokens", body.get("max_tokens"))]

    def given(self, body: dict[str, Any]) -> str:
        """What is there of its own turn, or of its words at the end of a bare prompt."""
        _, opening, turn = detokenise(self.prompt_ids(body)).rpartition(_ASSISTANT)
        if opening:
            return turn
        whole = "".join(self.words)
        return next(whole[:size] for size in range(len(whole), -1, -1) if turn.endswith(whole[:size]))

    def counted(self, request: Request) -> dict[str, Any]:
        prompt = self.prompt_ids(request.body)
        usage: dict[str, Any] = {**self.usage(len(self.said(request))), "prompt_tokens": len(prompt)}
        usage["total_tokens"] = len(prompt) + usage["completion_tokens"]
        known = self.slots[request.body["id_slot"]] if "id_slot" in request.body else []
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(known, prompt, strict=False)))
        usage["prompt_tokens_details"] = {"cached_tokens": min(same, len(prompt) - 1)}
        return usage

    def prompt_ids(self, body: dict[str, Any]) -> list[int]:
        prompt = self.rendered(body) if "messages" in body else body["prompt"]
        if isinstance(prompt, list) and len(prompt) == 1 and not isinstance(prompt[0], int):
            (prompt,) = prompt
        return tokenise(prompt) if isinstance(prompt, str) else list(prompt)

    @staticmethod
    def rendered(body: dict[str, Any]) -> str:
        turns = [f"<|{turn['role']}|>{turn['content']}" for turn in body["messages"]]
        return "".join(turns) + ("" if body["messages"][-1]["role"] == "assistant" else _ASSISTANT)

    def act_on_slot(self, request: Request) -> Answer:
        path, _, action = request.path.partition("?action=")
        number = int(path.rpartition("/")[2])
        if action == "erase":
            erased, self.slots[number] = len(self.slots[number]), []
            return Json({"id_slot": number, "n_erased": erased})
        if self.slot_directory is None:
            return Json(self.error("This server does not support slots action."), status=501)
        file = self.slot_directory / request.body["filename"]
        return Later(self.saves, lambda: self._save(number, file)) if action == "save" else self._restore(number, file)

    def _save(self, number: int, file: Path) -> Answer:
        file.touch(mode=0o600)
        size = file.write_bytes(slot_file(self.slots[number], self.state_bytes))
        return Json({"id_slot": number, "filename": file.name, "n_saved": len(self.slots[number]), "n_written": size})

    def _restore(self, number: int, file: Path) -> Answer:
        if not file.exists():
            message = "Unable to restore slot: No available space in KV cache or invalid slot save file"
            return Json(self.error(message), status=400)
        data = file.read_bytes()
        count = struct.unpack_from("<5Ii", data)[5]
        self.slots[number] = [] if self.forgets else list(struct.unpack_from(f"<{count}i", data, 24))
        return Json({"id_slot": number, "filename": file.name, "n_restored": count, "n_read": len(data)})

    def _stream(self, request: Request) -> Stream:
        pieces = self.pieces(request)
        if self.writes is None:
            return Stream(pieces)
        begun = self.writes + request.path.endswith("/chat/completions")  # which has an event for the role
        return Stream([*pieces[:begun], self.go, *pieces[begun:]])

    def _remember(self, request: Request, writes: int | None) -> None:
        """What the slot has when the answer is cut where it waits, or when it has ended."""
        if "id_slot" not in request.body:
            return
        words = self.said(request)
        tokens = list(itertools.chain.from_iterable(map(tokenise, words)))
        count = sum(len(tokenise(word)) for word in words[:writes]) - 1 + (self.ahead if writes is not None else 0)
        count = min(count, request.body.get("max_tokens", len(tokens) + 1) - 1)
        self.slots[request.body["id_slot"]] = self.prompt_ids(request.body) + tokens[: max(count, 0)]

    @staticmethod
    def _word(choice: dict[str, Any]) -> str:
        return choice.get("text") or choice.get("delta", {}).get("content") or ""

    @staticmethod
    def _logprob(word: str) -> dict[str, Any]:
        entry = {"id": 5, "token": word, "bytes": list(word.encode()), "logprob": -0.25}
        return {**entry, "top_logprobs": [entry]}


def _document(schema: dict[str, Any]) -> str:
    """One that a schema of booleans allows."""
    return orjson.dumps(dict.fromkeys(schema["properties"], True)).decode().replace(":", ": ")
