"""A gateway that listens on loopback, a client for it, and what its answers say."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from fastapi import FastAPI

from app.gateway import Gateway
from app.main import create_app
from app.server import make_server
from config.settings import Settings
from tests.backends.kinds import KINDS_UNDER_TEST, text
from tests.fakes.http_server import HttpServer

CHAT = "/v1/chat/completions"
COMPLETE = "/v1/completions"
EMBED = "/v1/embeddings"
HELLO = [{"role": "user", "content": "Hi"}]
ASKED: Mapping[str, Mapping[str, Any]] = {
    CHAT: {"model": "small", "messages": HELLO},
    COMPLETE: {"model": "small", "prompt": "Hi"},
    EMBED: {"model": "small", "input": "Hi"},
}
ERROR_KEYS = {"message", "type", "param", "code"}


def backend(kind: str, server: HttpServer, **more: Any) -> dict[str, Any]:
    """The settings of a backend of that kind for that server, called "box" unless `more` says otherwise."""
    under_test = KINDS_UNDER_TEST[kind]
    return {"id": "box", "kind": kind, "url": server.url + under_test.path, **under_test.settings, **more}


class RunningGateway:
    """`url` is where it listens; `client` keeps its connections as the SDKs do."""

    def __init__(self, app: FastAPI, url: str) -> None:
        self.app = app
        self.url = url
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx' own would read all certificates of this machine
        self.client = httpx.AsyncClient(base_url=url, timeout=10, verify=no_tls)

    @property
    def port(self) -> int:
        return httpx.URL(self.url).port or 0

    @property
    def gateway(self) -> Gateway:
        """The one of the moment."""
        gateway: Gateway = self.app.state.serving.gateway
        return gateway

    async def post(self, path: str, *, headers: Mapping[str, str] | None = None, **changes: Any) -> httpx.Response:
        """The smallest valid request of that path with some changes to its body."""
        return await self.client.post(path, json={**ASKED[path], **changes}, headers=headers)

    async def stream(self, path: str, **changes: Any) -> Streamed:
        """A whole answer that came as a stream."""
        response = await self.post(path, stream=True, **changes)
        return Streamed(response)

    @asynccontextmanager
    async def opened(self, path: str, **changes: Any) -> AsyncIterator[httpx.Response]:
        """A streamed answer whose head has come."""
        body = {**ASKED[path], "stream": True, **changes}
        async with self.client.stream("POST", path, json=body) as response:
            yield response

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def backends(self) -> dict[str, dict[str, Any]]:
        """What /admin/backends says, by id."""
        return {each["id"]: each for each in (await self.get("/admin/backends")).json()["data"]}

    async def until_health(self, backend_id: str, health: str) -> None:
        """Ask, again and again, until a backend's breaker is in that state."""

        async def is_so() -> bool:
            return bool((await self.backends())[backend_id]["health"] == health)

        await until(is_so)

    async def until_idle(self, backend_id: str) -> None:
        """Until a backend's places are all free again."""
        await until(lambda: not self.gateway.lanes[backend_id].busy)

    async def raw_head(self, path: str, **changes: Any) -> bytes:
        """The head of an answer, as soon as it has come."""
        content = orjson.dumps({**ASKED[path], **changes})
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head(path, f"content-length: {len(content)}") + content)
            return await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()

    async def raw_body(self, path: str, **changes: Any) -> bytes:
        """An answer as it came, even one that is cut."""
        content = orjson.dumps({**ASKED[path], **changes})
        return await self.raw(head(path, f"content-length: {len(content)}", "connection: close") + content)

    async def raw(self, *pieces: bytes) -> bytes:
        """Whatever comes back for these very bytes until the gateway closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.writelines(pieces)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Look, again and again, for what nothing tells of itself. Raises TimeoutError after 5 s."""
    async with asyncio.timeout(5):
        while not (await found if isinstance(found := condition(), Awaitable) else found):  # noqa: ASYNC110
            await asyncio.sleep(0.002)


class Streamed:
    """An event stream, read to its end: `data` holds what each event carries, `comments` what is none."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        lines = response.text.split("\n\n")
        self.data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        self.comments = [line for line in lines if line.startswith(":")]
        self.events: list[dict[str, Any]] = [orjson.loads(data) for data in self.data if data != "[DONE]"]

    @property
    def choices(self) -> list[dict[str, Any]]:
        return [choice for event in self.events for choice in event.get("choices", ())]

    @property
    def text(self) -> str:
        return text([event for event in self.events if "choices" in event])

    @property
    def finish_reasons(self) -> list[str]:
        return [choice["finish_reason"] for choice in self.choices if choice.get("finish_reason")]

    @property
    def error(self) -> dict[str, Any] | None:
        """What the error event says, None when there is none."""
        return next((event["error"] for event in self.events if "error" in event), None)


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """The error of an answer that must be one, in OpenAI's envelope."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == ERROR_KEYS
    assert isinstance(error["message"], str)
    assert isinstance(error["type"], str)
    return error


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """All that the gateway has logged, and not what the client of the test says of itself."""
    others = ("asyncio", "httpcore", "httpx", "uvicorn.access")  # the last one is off: pytest listens all the same
    ours = [record for record in caplog.records if not record.name.startswith(others)]
    return "\n".join(logging.Formatter("%(name)s %(message)s").format(record) for record in ours)


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    """A request's head as it goes on the wire."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "host: isotherm", *lines, "", "")).encode("latin-1")


@asynccontextmanager
async def running(*backends: Mapping[str, Any], settled: bool = True, **sections: Any) -> AsyncIterator[RunningGateway]:
    """A gateway with these backends; `sections` are the others of the configuration. No answer moves, by default."""
    sections.setdefault("handoff", {"max_moves": 0})
    server = {"port": 0, **sections.pop("server", {})}
    settings = Settings(server=server, backends=backends, **sections)
    async with serving(settings, settled=settled) as gateway:
        yield gateway


@asynccontextmanager
async def serving(
    settings: Settings,
    read_settings: Callable[[], Settings] | None = None,
    *,
    settled: bool = True,
    **clocks: Callable[[], Any],
) -> AsyncIterator[RunningGateway]:
    """The real app in the real server, in the test's own loop; `settled` waits for each backend's first probe.

    `clocks` are those of `create_app`, the real ones by default.
    """
    app = create_app(settings, Path, read_settings, **clocks)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def on_ready(url: str) -> None:
        ready.set_result(url)

    server = make_server(app, settings.server, on_ready)
    serve = asyncio.create_task(server.serve())
    await asyncio.wait((serve, ready), return_when=asyncio.FIRST_COMPLETED)
    assert not serve.done(), "the server gave up"
    gateway = RunningGateway(app, await ready)
    try:
        if settled:
            await app.state.serving.settled()
        yield gateway
    finally:
        await gateway.client.aclose()
        await _stop(server)
        serve.cancel()
        await asyncio.gather(serve, return_exceptions=True)


async def _stop(server: uvicorn.Server) -> None:
    """As uvicorn does, but without its pauses; whoever is still being served is cut off."""
    for listening in server.servers:
        listening.close()
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    async with asyncio.timeout(5):
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
        await server.lifespan.shutdown()
