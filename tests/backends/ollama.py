"""An Ollama that runs, and what it tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.domain.backend import Capability
from tests.backends.kinds import events, job, stream
from tests.backends.running import running
from tests.fakes.ollama_server import OllamaServer

MODEL = OllamaServer.model
BOTH = (Capability.CHAT, Capability.COMPLETE)


@asynccontextmanager
async def ollama(**settings: Any) -> AsyncIterator[tuple[OllamaServer, Any]]:
    async with running("ollama", **settings) as (server, backend):
        assert isinstance(server, OllamaServer)
        yield server, backend


async def told(backend: Any, way: Capability = Capability.CHAT, **more: Any) -> list[dict[str, Any]]:
    """The events of a whole answer."""
    return events(b"".join([block async for block in stream(backend, job(way, MODEL, **more))]))
