"""`isotherm explain`: where a prompt would go, and every rule's opinion on the way."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

import orjson

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import load_catalogue
from app.commands.serve import CATALOGUE
from app.domain.decision import Decision
from app.domain.job import Job
from app.lifecycle import Lifecycle
from app.routing.decide import why_no_route
from app.routing.explain import explain as in_words
from app.wiring import model_finder
from config.load import load_settings
from routers.chat import read
from routers.job import Caller


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], configuration: Path) -> None:
    parser = commands.add_parser("explain", help="print a routing decision with every verdict")
    parser.add_argument("--config", type=Path, default=configuration, metavar="FILE", help="the configuration (YAML)")
    parser.add_argument("--model", default="auto", metavar="M", help="the model or alias that is asked for")
    parser.add_argument("--prompt", required=True, metavar="P", help="what the user says")
    parser.set_defaults(command=explain)


def explain(options: argparse.Namespace) -> int:
    """Starts the backends, asks each once how it is, decides, and stops them. Raises ConfigurationError."""
    messages = [{"role": "user", "content": options.prompt}]
    job = read(orjson.dumps({"model": options.model, "messages": messages}), Caller("explain"))
    decision = asyncio.run(_decide(options.config, job))
    sys.stdout.write(in_words(decision))
    if not decision.routes:
        sys.stdout.write(f"{why_no_route(job, decision)}\n")
    return 0 if decision.routes else 1


async def _decide(configuration: Path, job: Job) -> Decision:
    settings = load_settings(configuration)
    find = model_finder(load_catalogue(CATALOGUE), Cache(default_root(os.environ)))
    lifecycle = Lifecycle(settings, find, lambda: settings)
    try:
        await lifecycle.start()
        await lifecycle.settled()
        return lifecycle.gateway.decide(job)
    finally:
        await lifecycle.stop()
