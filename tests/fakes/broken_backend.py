"""Backends of a user's own with a mistake in them: not one that the house has a name for."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from app.domain.backend import Capability, ServedModel
from app.domain.job import Job
from app.domain.parameters import OFFICIAL
from backends.base import BackendSettings, Resources
from tests.fakes.openai_server import event

_HELLO = {"id": "1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}}]}


class BrokenBackend:
    """Raises before its first chunk."""

    Settings = BackendSettings

    def __init__(self, settings: BackendSettings, resources: Resources) -> None:
        self.profile = settings.profile({Capability.CHAT: OFFICIAL[Capability.CHAT]})

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Nothing to let go of."""

    async def probe(self) -> tuple[ServedModel, ...]:
        return (ServedModel("small"),)

    async def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        if job:
            raise RuntimeError(f"a mistake with {job.body}")
        yield b""


class BreakingBackend(BrokenBackend):
    """Raises after its first chunk."""

    async def chat(self, job: Job) -> AsyncGenerator[bytes, None]:
        yield event(_HELLO)
        raise RuntimeError(f"a mistake with {job.body}")
