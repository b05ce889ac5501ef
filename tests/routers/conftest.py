"""The usual house: one backend of kind `openai`, and the server that it talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import RunningGateway, backend, running


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """As it is served."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def upstream() -> AsyncIterator[OpenAiServer]:
    async with OpenAiServer() as server:
        yield server


@pytest.fixture
async def gateway(upstream: OpenAiServer) -> AsyncIterator[RunningGateway]:
    async with running(backend("openai", upstream, api_key=None)) as running_gateway:
        yield running_gateway
