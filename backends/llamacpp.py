"""llama.cpp: a server that we run as a child process, or one that the user runs."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SecretStr, model_validator

from app.domain.backend import Capability, ServedModel
from app.domain.errors import BackendRefusedError, JobRejectedError, StreamBrokenError
from app.domain.job import Job
from backends.base import BackendSettings, Resources, Url
from backends.llamacpp_calls import PossibleCalls, RequiredCall
from backends.llamacpp_events import Legacy, OneCreated
from backends.llamacpp_tools import chosen, in_words
from backends.openai_wire import embed, list_models, streamed
from backends.upstream.client import Upstream
from backends.workers.child import Child
from backends.workers.orphan import CAN_END_WITH_PARENT

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


@dataclass(frozen=True, slots=True)
class _Model:
    """What the server says of its model; older servers say nothing."""

    sees: bool | None = None
    knows_tools: bool = True


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
        self._duty = 1.0
        self._upstream: Upstream | None = None
        self._root: Upstream | None = None  # what llama.cpp offers beside OpenAI's API
        self._url: str | None = None
        self._model: _Model | None = None

    async def start(self) -> None:
        if self._settings.url is not None:
            self._connect(self._settings.url)
            return
        self._child = Child(self._settings.id, _PROGRAM, self._configuration())
        await self._child.start()
        self._child.pace(self._duty)

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()
        self._disconnect()

    async def probe(self) -> tuple[ServedModel, ...]:
        models = await list_models(self._server())
        model = await self._described()
        return tuple(replace(each, sees=model.sees) for each in models)

    async def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        server, created = self._server(), OneCreated()
        body, calls = await self._with_tools(self._body(job))
        async with aclosing(server.stream("/chat/completions", body)) as blocks:
            async for block in blocks:
                if told := self._told(calls, created.feed(block)):
                    yield told

    async def complete(self, job: Job) -> AsyncGenerator[bytes, None]:
        created, legacy = OneCreated(), Legacy(logprobs=job.body.get("logprobs") is not None)
        async with aclosing(self._server().stream("/completions", self._body(job))) as blocks:
            try:
                async for block in blocks:
                    yield created.feed(legacy.feed(block))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise StreamBrokenError(self._settings.id, "sent an event that can't be understood") from error

    async def embed(self, job: Job) -> dict[str, Any]:
        return await embed(self._server(), job.body)

    @property
    def paceable(self) -> bool:
        return self._settings.url is None and CAN_END_WITH_PARENT

    def pace(self, duty: float) -> None:
        self._duty = duty
        if self._child is not None:
            self._child.pace(duty)

    @property
    def pid(self) -> int | None:
        """The process id of the server that we run; None for one that we don't, or while there is none."""
        return self._child.pid if self._child is not None else None

    def _body(self, job: Job) -> dict[str, Any]:
        """What to ask for, with `logit_bias` as the pairs that llama.cpp takes."""
        body, bias = streamed(job.body), job.body.get("logit_bias")
        if not isinstance(bias, dict):
            return body
        try:
            return {**body, "logit_bias": [[int(token), value] for token, value in bias.items()]}
        except ValueError as error:
            detail = "The keys of 'logit_bias' must be token ids."
            raise JobRejectedError(self._settings.id, 400, detail, param="logit_bias") from error

    async def _with_tools(self, body: dict[str, Any]) -> tuple[dict[str, Any], RequiredCall | PossibleCalls | None]:
        """What to ask for, and who reads the calls out of the answer where llama.cpp does not."""
        if body.get("tools"):
            body = chosen(body, self._settings.id)
        elif not any(message.get("tool_calls") or message["role"] == "tool" for message in body["messages"]):
            return body, None
        if (await self._described()).knows_tools:
            return body, None
        tools, choice = body.get("tools") or [], body.get("tool_choice")
        if not tools or choice == "none":
            return in_words(body), None
        names = [tool["function"]["name"] for tool in tools]
        return in_words(body), RequiredCall() if choice == "required" else PossibleCalls(names)

    def _told(self, calls: RequiredCall | PossibleCalls | None, block: bytes) -> bytes:
        if calls is None:
            return block
        try:
            return calls.feed(block)
        except ValueError as error:
            raise StreamBrokenError(self._settings.id, "sent an event that is no JSON") from error

    async def _described(self) -> _Model:
        """What the server that listens now says of its model: asked once."""
        if self._model is None and self._root is not None:
            try:
                self._model = _model(await self._root.get_json("/props"))
            except BackendRefusedError as error:
                if error.status is None:
                    raise
                self._model = _Model()
        return self._model or _Model()

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
                raise self._child.absence()
            if self._child.ready["url"] != self._url:
                self._connect(self._child.ready["url"])
        if self._upstream is None:
            raise BackendRefusedError(self._settings.id, "is not started")
        return self._upstream

    def _connect(self, url: str) -> None:
        self._disconnect()
        self._url = url
        self._root, self._upstream = self._at(url), self._at(url.rstrip("/") + "/v1")

    def _disconnect(self) -> None:
        for upstream in (self._root, self._upstream):
            if upstream is not None:
                upstream.close()
        self._root = self._upstream = self._model = None

    def _at(self, url: str) -> Upstream:
        return Upstream(
            self._settings.id,
            url,
            headers={"authorization": f"Bearer {self._key}"} if self._key else {},
            connect_seconds=self._settings.timeouts.connect,
        )


def _model(props: Any) -> _Model:
    """Of the answer of GET /props."""
    said = props if isinstance(props, dict) else {}
    modalities, template = said.get("modalities"), said.get("chat_template_caps")
    return _Model(
        sees=modalities.get("vision") if isinstance(modalities, dict) else None,
        knows_tools=template.get("supports_tools") is not False if isinstance(template, dict) else True,
    )
