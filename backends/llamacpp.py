"""llama.cpp: a server that we run as a child process, or one that the user runs."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Self

import orjson
from pydantic import Field, SecretStr, model_validator

from app.domain.backend import Capability, ServedModel
from app.domain.errors import BackendRefusedError
from app.domain.job import Job
from app.domain.sse import DONE, encode, payloads
from backends.base import BackendSettings, Resources, Url
from backends.openai_wire import embed, list_models, streamed
from backends.upstream.client import Upstream
from backends.workers.child import Child

_PROGRAM = Path(__file__).parent / "workers" / "llamacpp_server.py"
_SAMPLING = frozenset(
    [
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "presence_penalty",
        "seed",
        "stop",
        "temperature",
        "top_p",
    ]
)
_CHAT = _SAMPLING | frozenset(
    ["max_completion_tokens", "parallel_tool_calls", "response_format", "tool_choice", "tools", "top_logprobs"]
)
_TALKS = {Capability.CHAT: _CHAT, Capability.COMPLETE: _SAMPLING}
_CREATED = re.compile(rb'"created":\d+')


class LlamaCppSettings(BackendSettings):
    """Either `model` (we run the server) or `url` (the user does)."""

    model: str | None = Field(None, min_length=1, description="a name from the catalogue, or a path to a GGUF")
    url: Url | None = Field(None, description="base URL of a server that runs already, without /v1")
    api_key: SecretStr | None = Field(None, description="the key of the server at `url`")
    threads: int | None = Field(None, ge=1, le=1024, description="CPU threads; all cores when left out")
    embeddings: bool = Field(False, description="serve embeddings, and nothing else")
    concurrency: int = Field(2, ge=1, le=256, description="jobs that it takes at once: the server's slots")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.model is None) == (self.url is None):
            raise ValueError("needs either `model` or `url`")
        if self.url is not None and self.threads is not None:
            raise ValueError("`threads` is for a server that Isotherm runs; the one at `url` has its own")
        return self

    def model_needed(self) -> str | None:
        return self.model


class LlamaCpp:
    """Both ways speak the same HTTP; ours has a random port and a random key."""

    Settings = LlamaCppSettings

    def __init__(self, settings: LlamaCppSettings, resources: Resources) -> None:
        capabilities = {Capability.EMBED: frozenset[str]()} if settings.embeddings else _TALKS
        self.profile = settings.profile(capabilities, passes_extras=True)
        self._settings = settings
        self._resources = resources
        given = settings.api_key.get_secret_value() if settings.api_key else ""
        self._key = given if settings.url else secrets.token_urlsafe(24)
        self._child: Child | None = None
        self._upstream: Upstream | None = None
        self._url: str | None = None

    async def start(self) -> None:
        if self._settings.url is not None:
            self._connect(self._settings.url)
            return
        self._child = Child(self._settings.id, _PROGRAM, self._configuration())
        await self._child.start()

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()
        if self._upstream is not None:
            self._upstream.close()

    async def probe(self) -> tuple[ServedModel, ...]:
        return await list_models(self._server())

    def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        return _one_created(self._server().stream("/chat/completions", streamed(_mapped(job.body))))

    def complete(self, job: Job) -> AsyncGenerator[bytes, None]:
        return _one_created(_legacy(self._server().stream("/completions", streamed(_mapped(job.body)))))

    async def embed(self, job: Job) -> dict[str, Any]:
        return await embed(self._server(), job.body)

    @property
    def pid(self) -> int | None:
        """The process id of the server that we run; None for one that we don't, or while there is none."""
        return self._child.pid if self._child is not None else None

    def _configuration(self) -> dict[str, Any]:
        settings = self._settings
        model = settings.model or ""
        return {
            "model": str(self._resources.find_model(model)),
            "alias": Path(model).stem if os.sep in model else model,
            "key": self._key,
            "threads": settings.threads or os.cpu_count() or 1,
            "slots": settings.concurrency,
            "context": settings.max_context or 4096,
            "slot_directory": str(self._resources.scratch),
            "embeddings": settings.embeddings,
        }

    def _server(self) -> Upstream:
        """The server as it listens now: a restarted one has another port."""
        if self._child is not None:
            if self._child.ready is None:
                raise BackendRefusedError(self._settings.id, self._child.state())
            if self._child.ready["url"] != self._url:
                self._connect(self._child.ready["url"])
        if self._upstream is None:
            raise BackendRefusedError(self._settings.id, "is not started")
        return self._upstream

    def _connect(self, url: str) -> None:
        if self._upstream is not None:
            self._upstream.close()
        self._url = url
        self._upstream = Upstream(
            self._settings.id,
            url.rstrip("/") + "/v1",
            headers={"authorization": f"Bearer {self._key}"} if self._key else {},
            connect_seconds=self._settings.timeouts.connect,
        )


def _mapped(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body with `logit_bias` as the pairs that llama.cpp takes."""
    bias = body.get("logit_bias")
    if not isinstance(bias, dict):
        return body
    return {**body, "logit_bias": [[int(token), value] for token, value in bias.items()]}


async def _one_created(blocks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same events, with one `created` (llama.cpp takes the time anew for each) and complete `logprobs`."""
    pinned = b""
    async with aclosing(blocks):
        async for block in blocks:
            if not pinned:
                found = _CREATED.search(block)
                pinned = found[0] if found else b""
            if block.count(pinned) != block.count(b'"created":'):
                block = _CREATED.sub(pinned, block)
            yield block.replace(b'"logprobs":{"content":', b'"logprobs":{"refusal":null,"content":')


async def _legacy(blocks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The completion events with usage in one of its own, and `logprobs` as the old API has them."""
    offset = 0
    async with aclosing(blocks):
        async for block in blocks:
            if b'"usage":{' not in block and b'"logprobs":{' not in block:
                yield block
                continue
            events: list[bytes] = []
            for data in payloads(block):
                if data == b"[DONE]":
                    events.append(DONE)
                    continue
                offset = _legacy_event(orjson.loads(data), offset, events)
            yield b"".join(events)


def _legacy_event(event: dict[str, Any], offset: int, events: list[bytes]) -> int:
    """Append the event in the old shape (in two, when it has usage); returns the offset after its text."""
    usage = event.pop("usage", None)
    for choice in event.get("choices", ()):
        if isinstance(choice.get("logprobs"), dict):
            choice["logprobs"] = _legacy_logprobs(choice["logprobs"].get("content") or [], offset)
        offset += len(choice.get("text") or "")
    events.append(encode(orjson.dumps(event)))
    if usage:
        events.append(encode(orjson.dumps({**event, "choices": [], "usage": usage})))
    return offset


def _legacy_logprobs(entries: list[dict[str, Any]], offset: int) -> dict[str, Any]:
    tokens = [entry["token"] for entry in entries]
    starts = [offset + sum(map(len, tokens[:index])) for index in range(len(tokens))]
    return {
        "tokens": tokens,
        "token_logprobs": [entry["logprob"] for entry in entries],
        "top_logprobs": [{top["token"]: top["logprob"] for top in entry.get("top_logprobs", ())} for entry in entries],
        "text_offset": starts,
    }
