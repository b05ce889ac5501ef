"""llama.cpp: a server that we run as a child process, or one that the user runs."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from app.domain.backend import Capability, ServedModel
from app.domain.errors import BackendBusyError, BackendRefusedError, StreamBrokenError
from app.domain.handoff import Begun, Continuation, Snapshot
from app.domain.job import Job
from backends.base import Resources
from backends.llamacpp_asked import Asked, after_ids, after_text, completion, conversation, goes_by_ids, uses_tools
from backends.llamacpp_link import Link
from backends.llamacpp_native import Native
from backends.llamacpp_selftest import Tested
from backends.llamacpp_settings import HONOURS, LlamaCppSettings
from backends.openai_wire import embed, list_models
from backends.upstream.client import Upstream
from backends.workers.child import Child
from backends.workers.orphan import CAN_END_WITH_PARENT

_PROGRAM = Path(__file__).parent / "workers" / "llamacpp_server.py"


class LlamaCpp:
    """Both ways speak the same HTTP; ours has a random port and a random key."""

    Settings = LlamaCppSettings

    def __init__(self, settings: LlamaCppSettings, resources: Resources) -> None:
        capabilities = {Capability.EMBED: frozenset[str]()} if settings.embeddings else HONOURS
        self.profile = settings.profile(capabilities, passes_extras=True, managed=settings.model is not None)
        self._settings = settings
        self._resources = resources
        given = settings.api_key.get_secret_value() if settings.api_key else ""
        self._key = given if settings.url else secrets.token_urlsafe(24)
        self._child: Child | None = None
        self._duty = 1.0
        self._url: str | None = None
        self._link: Link | None = None

    async def start(self) -> None:
        if self._settings.url is not None:
            self._link = self._connected(self._settings.url)
            return
        self._child = Child(self._settings.id, _PROGRAM, self._configuration())
        await self._child.start()
        self._child.pace(self._duty)

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def probe(self) -> tuple[ServedModel, ...]:
        link = self._server()
        models, model = await list_models(link.api), await link.model()
        if models and not self._settings.embeddings:
            await link.test(models[0].name, model)
        return tuple(replace(each, sees=model.sees) for each in models)

    def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._streamed(job, partial(self._conversation, job))

    def complete(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._streamed(job, partial(self._completion, job))

    async def embed(self, job: Job) -> dict[str, Any]:
        return await embed(self._server().api, job.body)

    @property
    def continuations(self) -> frozenset[Continuation]:
        return frozenset(self._tested.continuations)

    @property
    def keeps_constraints(self) -> frozenset[Continuation]:
        """What is constrained goes on as a chat, whatever else is known of it."""
        return self.continuations if self._tested.keeps_constraints else frozenset()

    @property
    def state_kind(self) -> str | None:
        state = self._tested.state
        return state.kind if state is not None else None

    @property
    def move_seconds(self) -> float | None:
        """What it takes to save and to restore a few tokens."""
        state = self._tested.state
        return state.move_seconds if state is not None else None

    async def save(self, job: Job, begun: Begun, stop: Callable[[], Awaitable[None]]) -> Snapshot:
        link, state = self._link, self._tested.state
        if link is None or link.files is None or state is None:
            await stop()
            raise BackendRefusedError(self._settings.id, "can't leave the state of an answer")
        return await link.files.save(job, begun, stop, state)

    def restore(self, job: Job, snapshot: Snapshot) -> AsyncGenerator[bytes, None]:
        return self._streamed(job, partial(self._gone_on, job, snapshot.begun), snapshot)

    def replay(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        return self._streamed(job, partial(self._gone_on, job, begun))

    def prefill(self, job: Job, begun: Begun) -> AsyncGenerator[bytes, None]:
        return self._streamed(job, partial(self._prefilled, job, begun))

    async def warm(self, job: Job, begun: Begun) -> None:
        asked = partial(self._gone_on if Continuation.TOKENS in self.continuations else self._prefilled, job, begun)

        async def one_token() -> Asked:
            whole = await asked()
            body = {key: value for key, value in whole.body.items() if key != "max_completion_tokens"}
            return replace(whole, body={**body, "max_tokens": 1})

        async with aclosing(self._streamed(job, one_token)) as blocks:
            async for _ in blocks:
                """Nobody reads it."""

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

    async def _streamed(
        self, job: Job, asking: Callable[[], Awaitable[Asked]], snapshot: Snapshot | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The answer to what is asked, in a slot of its own, with the state that was left of it."""
        link, asked = self._server(), await asking()
        with link.slots.running(job) as slot:
            if slot is not None:
                asked.body["id_slot"] = slot
            if snapshot is not None:
                await self._take_up(link, slot, snapshot)
            async with aclosing(link.api.stream(asked.path, asked.body)) as blocks:
                async for block in blocks:
                    if told := self._read(asked, block):
                        yield told

    async def _take_up(self, link: Link, slot: int | None, snapshot: Snapshot) -> None:
        if slot is None or link.files is None:
            raise BackendBusyError(self._settings.id, "has no slot free")
        await link.files.take_up(slot, snapshot)

    def _read(self, asked: Asked, block: bytes) -> bytes:
        try:
            for reader in asked.readers:
                block = reader.feed(block)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StreamBrokenError(self._settings.id, "sent an event that can't be understood") from error
        return block

    async def _conversation(self, job: Job) -> Asked:
        return conversation(job, self._settings.id, knows_tools=await self._knows_tools(job))

    async def _completion(self, job: Job) -> Asked:
        return completion(job, self._settings.id)

    async def _prefilled(self, job: Job, begun: Begun) -> Asked:
        return after_text(job, self._settings.id, begun, knows_tools=await self._knows_tools(job))

    async def _gone_on(self, job: Job, begun: Begun) -> Asked:
        if not goes_by_ids(job, begun):
            return await self._prefilled(job, begun)
        if begun.tokens is None:
            native = self._server().native
            ids = [*await native.prompt_ids(job), *await native.ids(begun.text)]
            begun = replace(begun, tokens=tuple(ids), surplus="")
        return after_ids(job, self._settings.id, begun)

    async def _knows_tools(self, job: Job) -> bool:
        return not uses_tools(job.body) or (await self._server().model()).knows_tools

    @property
    def _tested(self) -> Tested:
        return self._link.tested if self._link is not None else Tested()

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

    def _server(self) -> Link:
        """The server as it listens now: a restarted one has another port."""
        if self._child is not None:
            if self._child.ready is None:
                raise self._child.absence()
            if self._child.ready["url"] != self._url:
                if self._link is not None:
                    self._link.disconnect()
                self._link = self._connected(self._child.ready["url"])
        if self._link is None:
            raise BackendRefusedError(self._settings.id, "is not started")
        return self._link

    def _connected(self, url: str) -> Link:
        self._url = url
        directory = self._resources.scratch if self._settings.url is None else self._settings.slot_directory
        usable = None if self._settings.embeddings else directory
        api, native = self._at(url.rstrip("/") + "/v1"), Native(self._at(url))
        return Link(api, native, usable, self._resources.shelf)

    def _at(self, url: str) -> Upstream:
        return Upstream(
            self._settings.id,
            url,
            headers={"authorization": f"Bearer {self._key}"} if self._key else {},
            connect_seconds=self._settings.timeouts.connect,
        )
