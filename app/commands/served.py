"""A gateway in a process of its own, for as long as a benchmark needs it."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import load_catalogue
from app.commands.serve import CATALOGUE, fetch_missing
from app.domain.errors import IsothermError
from app.main import create_app
from app.server import run
from app.wiring import model_finder, read_backends
from config.load import load_settings
from config.settings import Settings

_STOPPING_SECONDS = 20


class BenchFailedError(IsothermError):
    """The gateway did not do what is to be measured."""


@contextmanager
def served(configuration: Path, prepare: Callable[[Settings], Settings]) -> Iterator[str]:
    """Its URL, on a free port. `prepare` runs in its process, and says what is to differ from the configuration.

    Raises ConfigurationError, ModelFetchError, BenchFailedError.
    """
    settings = load_settings(configuration)
    fetch_missing(read_backends(settings), load_catalogue(CATALOGUE), Cache(default_root(os.environ)))
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(configuration, prepare, there))
    process.start()
    there.close()
    try:
        yield str(here.recv())
    except EOFError:
        raise BenchFailedError("the gateway could not be started; see above") from None
    finally:
        process.terminate()
        process.join(_STOPPING_SECONDS)
        if process.is_alive():
            process.kill()


def _serve(configuration: Path, prepare: Callable[[Settings], Settings], ready: Connection) -> None:
    logging.basicConfig(level=logging.ERROR)  # that zones become hot is no news here
    settings = load_settings(configuration)
    server = settings.server.model_copy(update={"host": "127.0.0.1", "port": 0})
    settings = prepare(settings.model_copy(update={"server": server}))
    app = create_app(settings, model_finder(load_catalogue(CATALOGUE), Cache(default_root(os.environ))))

    async def tell(url: str) -> None:
        await app.state.serving.settled()
        ready.send(url)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(app, settings.server, tell))
