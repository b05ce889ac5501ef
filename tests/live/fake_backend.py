"""A gateway in a process of its own, in front of a fake backend that fails on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.answers import Answer
from tests.fakes.openai_server import OpenAiServer
from tests.fakes.wire import Request
from tests.live.gateway import Gateway, serving


@asynccontextmanager
async def in_front_of(
    upstream: OpenAiServer, directory: Path, backend: dict[str, Any] | None = None, **server: Any
) -> AsyncIterator[Gateway]:
    """A gateway whose only backend is that server."""
    told = {"id": "fake", "kind": "openai", "url": f"{upstream.url}/v1", **(backend or {})}
    config = directory / "isotherm.yaml"
    config.write_text(yaml.safe_dump({"backends": [told], "server": server}))
    manager = serving(directory, config)
    async with AsyncExitStack() as stack:
        gateway = await asyncio.to_thread(manager.__enter__)  # the fake answers its probes meanwhile
        stack.push_async_callback(asyncio.to_thread, manager.__exit__, None, None, None)
        yield gateway


def failing(upstream: OpenAiServer, *failures: Answer) -> list[Request]:
    """Let chats fail like this, and then be answered; the list of them grows."""
    chats: list[Request] = []
    left = list(failures)

    def script(request: Request) -> Answer:
        if not request.path.endswith("/chat/completions"):
            return upstream.answer(request)
        chats.append(request)
        return left.pop(0) if left else upstream.answer(request)

    upstream.script = script
    return chats
