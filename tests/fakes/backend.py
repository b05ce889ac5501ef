"""A backend in memory that says what a script tells it to.

`kind: tests.fakes.backend:ScriptedBackend` brings it in by the same door as a user's own kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

from pydantic import Field

from app.domain.backend import Capability, ServedModel
from app.domain.job import Job
from app.domain.parameters import OFFICIAL
from backends.base import BackendSettings, Resources

KIND = "tests.fakes.backend:ScriptedBackend"

#: Bytes are a block of the answer, an event is waited for, an error is raised.
Step = bytes | asyncio.Event | Exception
Script = Callable[[Job], Iterable[Step]]


class ScriptedSettings(BackendSettings):
    """What every kind can be told; `able` are its capabilities."""

    kind: str = Field(KIND, description="which implementation runs it")
    able: tuple[Capability, ...] = Field(tuple(Capability), description="what it can do")


class ScriptedBackend:
    """`served` is what a probe finds, or the error that it raises; `script` the answer to a job.

    `asked` are the jobs that came, `closed` how many answers have been let go of, `duties` the paces that it was told.
    """

    Settings = ScriptedSettings

    def __init__(self, settings: ScriptedSettings, resources: Resources | None = None) -> None:
        self.profile = settings.profile(_honoured(settings.able), passes_extras=True)
        self.served: tuple[ServedModel, ...] | Exception = (ServedModel("small"),)
        self.script: Script = lambda _: ()
        self.vectors: dict[str, Any] | Exception = {"object": "list", "data": []}
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[Job] = []
        self.closed = 0
        self.probes = 0
        self.running = False
        self.starts = 0
        self.paceable = True
        self.duties: list[float] = []

    async def start(self) -> None:
        self.running = True
        self.starts += 1

    async def stop(self) -> None:
        self.running = False

    def pace(self, duty: float) -> None:
        self.duties.append(duty)

    async def probe(self) -> tuple[ServedModel, ...]:
        """Waits for `gate`."""
        self.probes += 1
        await self.gate.wait()
        if isinstance(self.served, Exception):
            raise self.served
        return self.served

    def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._answer(job)

    def complete(self, job: Job) -> AsyncGenerator[bytes, None]:
        return self._answer(job)

    async def embed(self, job: Job) -> dict[str, Any]:
        """Waits for `gate`."""
        self.asked.append(job)
        await self.gate.wait()
        if isinstance(self.vectors, Exception):
            raise self.vectors
        return self.vectors

    async def _answer(self, job: Job) -> AsyncGenerator[bytes, None]:
        self.asked.append(job)
        try:
            for step in self.script(job):
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.closed += 1


def _honoured(able: Iterable[Capability]) -> dict[Capability, frozenset[str]]:
    """Everything but `n`: it makes one choice at a time."""
    return {capability: OFFICIAL[capability] - {"n"} for capability in able}
