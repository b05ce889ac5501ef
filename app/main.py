"""The application: its doors, its lifespan, nothing else."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.errors import ConfigurationError, place_of
from app.lifecycle import Lifecycle
from config.settings import Settings
from routers import (
    backends,
    chat,
    completions,
    dashboard,
    decisions,
    embeddings,
    events,
    health,
    metrics,
    mode,
    models,
    openapi,
    reload,
    zones,
)
from routers.errors import add_error_handlers
from routers.request_ids import RequestIds

logger = logging.getLogger(__name__)

_ROUTERS = (models, health, metrics, backends, zones, mode, decisions, events, reload, openapi, dashboard)


class Application(FastAPI):
    """FastAPI, with a way past its middleware and its routing for the doors that carry streams.

    Those answer errors themselves and share nothing with the others; the detour costs a tenth of a request.
    A mistake of our own ends here, in one line of the log: a trace has paths, and its message may quote a secret.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hot: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self.hot.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        try:
            if door is None:
                await super().__call__(scope, receive, send if scope["type"] == "http" else _in_one_line(send))
            else:
                scope["app"] = self
                await door(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            logger.warning("an answer was cut off: Isotherm stops")  # what else would cancel a request
        except Exception as error:
            if scope["type"] != "http":
                raise
            logger.error("a mistake of Isotherm itself: %s", place_of(error))  # the client has been told already


def _in_one_line(send: Send) -> Send:
    """Starlette tells why a start failed with a whole stack trace; the end of its last line is what matters."""

    async def told(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            reason = message["message"].strip().rpartition("\n")[2].partition(": ")[2]
            message = {**message, "message": reason or "it could not be started"}
        await send(message)

    return told


def create_app(
    settings: Settings,
    find_model: Callable[[str], Path],
    read_settings: Callable[[], Settings] | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    local_time: Callable[[], datetime] = datetime.now,
) -> FastAPI:
    """An app that builds its gateway when it starts. `read_settings` is what a reload reads; by default, the same."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        lifecycle = Lifecycle(settings, find_model, read_settings or (lambda: settings), clock, local_time)
        app.state.serving = lifecycle
        await lifecycle.start()
        try:
            with _reload_on_hangup(lifecycle):
                yield
        finally:
            await lifecycle.stop()

    app = Application(title="Isotherm", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    for door in (chat, completions, embeddings):
        app.router.routes.append(door.route)
        if not settings.server.cors_origins:
            app.hot[door.route.path] = door.route.endpoint
    for router in _ROUTERS:
        app.include_router(router.router)
    app.add_middleware(RequestIds)
    if settings.server.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.server.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
        )
    add_error_handlers(app)
    return app


@contextmanager
def _reload_on_hangup(lifecycle: Lifecycle) -> Iterator[None]:
    """SIGHUP reads the configuration again, where signals can be had (a main thread, not Windows)."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
        yield
        return
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    async def reload_now() -> None:
        try:
            await lifecycle.reload()
        except ConfigurationError as error:
            logger.error("the configuration was not reloaded, the old one goes on: %s", error)

    def on_hangup() -> None:
        task = loop.create_task(reload_now())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
