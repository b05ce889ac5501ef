"""What a llama.cpp server can really do for an answer that was begun: tried with a few tokens first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson

from app.domain.errors import BackendError
from app.domain.handoff import Continuation
from app.domain.sse import payloads
from backends.llamacpp_native import Native
from backends.llamacpp_state import StateFacts, StateFiles
from backends.slot_file import read_ids
from backends.upstream.client import Upstream

_TEXT = "One, two, three, four, five, six, seven, eight, nine,"
_BEGUN, _WHOLE = '{"a": t', {"a": True}
_TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": _BEGUN}]
_SCHEMA = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False}
_FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": _SCHEMA}}
_PATIENCE_SECONDS = 60.0

Body = dict[str, Any]
T = TypeVar("T")


class _UnfitError(Exception):
    """It answers, but not as it must; the message says how."""


@dataclass(slots=True)
class Tested:
    """What was found; `faults` say why something is missing that should be there."""

    continuations: set[Continuation] = field(default_factory=set)
    keeps_constraints: bool = False
    state: StateFacts | None = None
    faults: list[str] = field(default_factory=list)


class SelfTest:
    """Of one server, in one slot of it that nobody else has; `slot` is None where the server chooses itself."""

    def __init__(self, api: Upstream, native: Native, model: str, slot: int | None = None) -> None:
        self._api = api
        self._native = native
        self._asked: Body = {"model": model, "temperature": 0, "cache_prompt": True}
        if slot is not None:
            self._asked["id_slot"] = slot
        self._slot = slot
        self._found = Tested()

    async def run(self, files: StateFiles | None = None, model_file: Path | None = None) -> Tested:
        """Never raises BackendError: what fails is left out of what was found.

        `files` are None where the state of an answer can't be reached, `model_file` where it is not known here.
        """
        found = self._found
        ids = await self._tried(Continuation.TOKENS, self._replay())
        if ids is not None and files is not None:
            found.state = await self._tried(Continuation.KV, self._move(ids, files, model_file))
        found.keeps_constraints = bool(await self._tried(Continuation.PREFILL, self._prefill()))
        return found

    async def _tried(self, continuation: Continuation, trial: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                result = await trial
        except TimeoutError:
            reason = "it took too long"
        except (BackendError, OSError, ValueError, _UnfitError) as error:
            reason = str(error)
        else:
            self._found.continuations.add(continuation)
            return result
        self._found.faults.append(f"{continuation} ({reason})")
        return None

    async def _replay(self) -> list[int]:
        """Go on after tokens; which they were."""
        ids = await self._native.ids(_TEXT, whole=True)
        await self._complete(ids)
        return ids

    async def _move(self, ids: list[int], files: StateFiles, model_file: Path | None) -> StateFacts:
        """Out of the slot and in again: then all but the last token must be there, and the same word come next."""
        slot = self._slot
        if slot is None or model_file is None:
            raise _UnfitError("nobody knows where its slots, or its model's file, are")
        expected = _text(await self._complete(ids))
        file = files.new()
        began = time.perf_counter()
        try:
            await self._native.save(slot, file.name)
            seconds = time.perf_counter() - began
            saved, size = read_ids(file), file.stat().st_size
            await self._native.erase(slot)
            began = time.perf_counter()
            await self._native.restore(slot, file.name)
            seconds += time.perf_counter() - began
        finally:
            file.unlink(missing_ok=True)
        if list(saved) != ids:
            raise _UnfitError("its slot files have other tokens")
        answer = await self._complete(ids)
        if _cached(answer) < len(ids) - 1:
            raise _UnfitError("a restored slot is read anew")
        if _text(answer) != expected:
            raise _UnfitError("a restored slot goes on with another word")
        return StateFacts(_kind(model_file, size), size / len(ids), seconds)

    async def _prefill(self) -> bool:
        """Go on with a chat; whether that keeps to a schema. Only what is new may come."""
        if _is_whole(_BEGUN + await self._chat(response_format=_FORMAT)):
            return True
        if (await self._chat()).lstrip().startswith(_BEGUN[0]):
            raise _UnfitError("it does not go on, or repeats what it was given")
        return False

    async def _complete(self, ids: list[int]) -> Body:
        """One token after these."""
        answer = await self._api.post_json("/completions", {**self._asked, "prompt": ids, "max_tokens": 1})
        if not isinstance(answer, dict) or not answer.get("choices"):
            raise _UnfitError("it answered with JSON that is no completion")
        return answer

    async def _chat(self, **more: Any) -> str:
        """What it adds to the turn that was begun."""
        asked = {"messages": _TURNS, "continue_final_message": True, "add_generation_prompt": False, "max_tokens": 8}
        text = ""
        async with aclosing(
            self._api.stream("/chat/completions", {**self._asked, **asked, "stream": True, **more})
        ) as blocks:
            async for block in blocks:
                for data in payloads(block):
                    text += _added(data)
        return text


def _added(data: bytes) -> str:
    event = {} if data == b"[DONE]" else orjson.loads(data)
    choices = event.get("choices") if isinstance(event, dict) else None
    return (choices[0].get("delta", {}).get("content") or "") if choices else ""


def _text(answer: Body) -> str:
    return str(answer["choices"][0].get("text") or "")


def _cached(answer: Body) -> int:
    """How many tokens the server had already; 0 from one that does not say."""
    details = (answer.get("usage") or {}).get("prompt_tokens_details") or {}
    return int(details.get("cached_tokens") or 0)


def _is_whole(text: str) -> bool:
    try:
        return bool(orjson.loads(text) == _WHOLE)
    except ValueError:
        return False


def _kind(model_file: Path, size: int) -> str:
    """The model's file, and how large the state of the same few tokens is: that differs with the type of the cache."""
    stat = model_file.stat()
    return f"{model_file.resolve()}:{stat.st_size}:{stat.st_mtime_ns}:{size}"
