"""`isotherm serve`: fetch what is missing, then answer until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import uvloop
from fastapi import FastAPI

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import Catalogue, load_catalogue
from app.catalogue.fetch import fetch
from app.catalogue.progress import TerminalProgress
from app.main import create_app
from app.server import run
from app.wiring import model_finder, read_backends
from backends.base import BackendSettings
from config.load import load_settings
from config.settings import Settings

CATALOGUE = Path(__file__).parent.parent.parent / "config" / "models.yaml"

READY = """
Isotherm listens on {url} (Ctrl-C stops it). Try it in another terminal:

curl {url}/v1/chat/completions -H 'Content-Type: application/json'{auth_curl} \\
  -d '{{"model": "auto", "messages": [{{"role": "user", "content": "Say hello."}}], "stream": true}}'

from openai import OpenAI
client = OpenAI(base_url="{url}/v1", api_key="{key}")
messages = [{{"role": "user", "content": "Say hello."}}]
for chunk in client.chat.completions.create(model="auto", messages=messages, stream=True):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], configuration: Path) -> None:
    parser = commands.add_parser("serve", help="answer on an OpenAI-compatible address")
    parser.add_argument("--config", type=Path, default=configuration, metavar="FILE", help="the configuration (YAML)")
    parser.add_argument("--host", metavar="H", help="address to bind to, instead of server.host")
    parser.add_argument("--port", metavar="N", help="port to listen on, instead of server.port")
    parser.set_defaults(command=serve)


def serve(options: argparse.Namespace) -> int:
    """Raises ConfigurationError, ModelFetchError."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    for name in ("httpx", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("host", "port"):  # the environment is where overrides come from: a reload sees them too
        if getattr(options, name) is not None:
            os.environ[f"ISOTHERM_SERVER__{name.upper()}"] = getattr(options, name)
    settings = load_settings(options.config)
    catalogue, cache = load_catalogue(CATALOGUE), Cache(default_root(os.environ))
    fetch_missing(read_backends(settings), catalogue, cache)
    app = create_app(settings, model_finder(catalogue, cache), lambda: load_settings(options.config))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        served = runner.run(run(app, settings.server, lambda url: _greet(url, app, settings)))
    return 0 if served else 1


def fetch_missing(backends: Iterable[BackendSettings], catalogue: Catalogue, cache: Cache) -> None:
    """Fetch the catalogue's models that some backend needs, showing how it goes."""
    for name in dict.fromkeys(backend.model_needed() for backend in backends):
        model = catalogue.models.get(name or "")
        if model is not None and not cache.present(model):
            fetch(model, cache, TerminalProgress(sys.stderr))


async def _greet(url: str, app: FastAPI, settings: Settings) -> None:
    """What to try, once there is somebody to answer."""
    await app.state.serving.settled()
    keys = settings.server.api_keys or settings.server.admin_keys
    auth = " -H 'Authorization: Bearer YOUR_KEY'" if keys else ""
    sys.stdout.write(READY.format(url=url, auth_curl=auth, key="YOUR_KEY" if keys else "none"))
    sys.stdout.flush()
