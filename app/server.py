"""The HTTP server: uvicorn, with bounds on what a client may send before anybody has read it."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.settings import Server

_MAX_HEAD_BYTES = 64 * 1024


def _refusal(status: str, message: str, code: str) -> bytes:
    """A whole answer for what never becomes a request."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    content = json.dumps({"error": error})
    head = f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n{content}".encode("ascii")


_TOO_LONG = _refusal("431 Request Header Fields Too Large", "The request's headers are too long.", "headers_too_long")
_NO_HTTP = _refusal("400 Bad Request", "This is no HTTP request that can be understood.", "invalid_http")


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's own protocol keeps headers without a limit; this one counts them while they come.

    Trailers are headers too, and come after the last chunk of a body.
    """

    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        if self._head_bytes >= 0:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's signature)
        self.transport.write(_NO_HTTP)
        self.transport.close()

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_bytes = -1
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._head_bytes = -1
        super().on_body(body)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._telling: asyncio.Future[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
            gc.set_threshold(10_000, 20, 20)  # a request makes some garbage of its own, and little that stays
            gc.freeze()  # what was built at start stays: later collections need not look at it
            url = _url(self.config.host, self.servers[0].sockets[0])
            self._telling = asyncio.ensure_future(self._on_ready(url))


async def run(app: FastAPI, server: Server, on_ready: Callable[[str], Awaitable[None]]) -> bool:
    """Serve until a signal says stop; `on_ready` gets the URL once connections are accepted.

    Returns whether it ever was ready."""
    uvicorn_server = make_server(app, server, on_ready)
    await uvicorn_server.serve()
    return uvicorn_server.started


def make_server(app: FastAPI, server: Server, on_ready: Callable[[str], Awaitable[None]]) -> uvicorn.Server:
    """As `run` has it, for whoever wants to stop it without a signal."""
    config = uvicorn.Config(
        app,
        host=server.host,
        port=server.port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=int(server.drain_seconds),
    )
    return _Server(config, on_ready)


def _url(host: str, listening: socket.socket) -> str:
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{listening.getsockname()[1]}"
