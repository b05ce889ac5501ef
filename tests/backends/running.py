"""A fake server of some kind, and a started backend for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.backends.kinds import KINDS_UNDER_TEST, build
from tests.fakes.model_server import ModelServer


@asynccontextmanager
async def running(kind: str, **settings: Any) -> AsyncIterator[tuple[ModelServer, Any]]:
    async with KINDS_UNDER_TEST[kind].server() as server:
        backend = build(kind, server.url, **settings)
        await backend.start()
        try:
            yield server, backend
        finally:
            await backend.stop()
