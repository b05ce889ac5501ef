"""The HTTP server: uvicorn, with bounds on what a client may send before anybody has read it."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.settings import Server

_MAX_HEAD_BYTES = 64 * 1024
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: 131\r\n\r\n"
    b'{"error": {"message": "The request\'s headers are too long.", "type": "invalid_request_error", '
    b'"param": null, "code": "headers_too_long"}}'
)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's own protocol keeps headers without a limit; this one counts them while they come."""

    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        if self._head_bytes >= 0:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_bytes = -1
        super().on_headers_complete()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._telling: asyncio.Future[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.collect()
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
