"""What llama.cpp's server offers beside OpenAI's API: slots, its chat template and its tokenizer.

Source: llama.cpp, tools/server/README.md (/slots, /apply-template, /tokenize, /detokenize, /props).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from app.domain.backend import Capability
from app.domain.errors import BackendRefusedError, BackendTimeoutError, JobRejectedError
from app.domain.job import Job
from backends.upstream.client import Upstream

_PATIENCE_SECONDS = 10.0

T = TypeVar("T")


class Native:
    """Every method raises BackendError, never one that says that the caller is at fault."""

    def __init__(self, upstream: Upstream) -> None:
        self.backend = upstream.backend
        self._upstream = upstream

    def close(self) -> None:
        self._upstream.close()

    async def props(self) -> dict[str, Any]:
        """What the server says of itself and its model."""
        said = await self._upstream.get_json("/props")
        return said if isinstance(said, dict) else {}

    async def save(self, slot: int, name: str) -> int:
        """Leave the slot's state in a file of the server's directory; how many bytes that has. Waits for the slot."""
        return _as(int, await self._ask(f"/slots/{slot}?action=save", {"filename": name}, "n_written"), self.backend)

    async def restore(self, slot: int, name: str) -> None:
        await self._ask(f"/slots/{slot}?action=restore", {"filename": name}, "n_restored")

    async def erase(self, slot: int) -> None:
        await self._ask(f"/slots/{slot}?action=erase", {}, "n_erased")

    async def prompt_ids(self, job: Job) -> list[int]:
        """The tokens that the server made, or would make, of a chat's or a completion's prompt."""
        if job.capability is Capability.CHAT:
            templated = await self._ask("/apply-template", job.body, "prompt")
            return await self.ids(_as(str, templated, self.backend), whole=True)
        prompt = job.body["prompt"]
        if isinstance(prompt, list) and len(prompt) == 1 and not isinstance(prompt[0], int):
            prompt = prompt[0]
        return await self.ids(prompt, whole=True) if isinstance(prompt, str) else list(prompt)

    async def ids(self, text: str, *, whole: bool = False) -> list[int]:
        """The tokens of a text; `whole` means that it is all that the model reads, with its special tokens."""
        asked = {"content": text, "add_special": whole, "parse_special": whole}
        ids: list[int] = _as(list, await self._ask("/tokenize", asked, "tokens"), self.backend)
        return ids

    async def text(self, ids: Sequence[int]) -> str:
        """U+FFFD stands for a character of which the tokens have only a part."""
        return _as(str, await self._ask("/detokenize", {"tokens": list(ids)}, "content"), self.backend)

    async def _ask(self, path: str, body: Mapping[str, Any], wanted: str) -> Any:
        """One value of a JSON answer."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                said = await self._upstream.post_json(path, body)
        except TimeoutError as error:
            raise BackendTimeoutError(self.backend, f"took too long for {_name(path)}") from error
        except JobRejectedError as error:
            raise BackendRefusedError(self.backend, f"refused {_name(path)}: {error.detail}") from error
        if not isinstance(said, dict) or wanted not in said:
            raise BackendRefusedError(self.backend, f"answered {_name(path)} without '{wanted}'")
        return said[wanted]


def _name(path: str) -> str:
    """The word in a path that says what is asked."""
    return path.rpartition("=")[2].removeprefix("/")


def _as(kind: type[T], value: Any, backend: str) -> T:
    if not isinstance(value, kind):
        raise BackendRefusedError(backend, f"sent {type(value).__name__} for {kind.__name__}")
    return value
