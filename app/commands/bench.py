"""`isotherm bench`: measures on this machine what Isotherm promises."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import load_catalogue
from app.commands.gateway_client import GatewayClient
from app.commands.handoff_bench import PROMPTS, BenchFailedError, HandoffBench
from app.commands.handoff_figures import Row, summarise, table
from app.commands.serve import CATALOGUE, fetch_missing
from app.domain.handoff import Continuation
from app.main import create_app
from app.relay.continuation.rung import KINDS
from app.server import run
from app.wiring import model_finder, read_backends
from config.load import load_settings
from config.settings import Settings

_CONFIGURATION = Path(__file__).parent.parent.parent / "config" / "demo.yaml"
_STOPPING_SECONDS = 20


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], configuration: Path) -> None:  # noqa: ARG001
    parser = commands.add_parser("bench", help="measure on this machine what Isotherm promises")
    benches = parser.add_subparsers(required=True, metavar="BENCH")
    handoff = benches.add_parser("handoff", help="move running answers from zone to zone, and compare them")
    handoff.add_argument("--config", type=Path, default=_CONFIGURATION, metavar="FILE", help="the configuration (YAML)")
    handoff.add_argument("--prompts", type=_count, default=len(PROMPTS), metavar="N", help=f"at most {len(PROMPTS)}")
    handoff.add_argument("--cuts", type=_count, default=10, metavar="N", help="moves for each prompt")
    handoff.add_argument("--tokens", type=_count, default=96, metavar="N", help="longest answer")
    handoff.add_argument("--seed", type=int, default=0, metavar="N", help="of the random places of the moves")
    handoff.add_argument("--prepared", action="store_true", help="stay under the critical point: make before break")
    handoff.add_argument("--json", action="store_true", help="print JSON")
    handoff.add_argument(
        "--continuation", choices=[*KINDS], action="append", help="forbid all better ones; may be given several times"
    )
    handoff.set_defaults(command=bench_handoff)


def bench_handoff(options: argparse.Namespace) -> int:
    """Raises ConfigurationError, ModelFetchError, GatewayUnreachableError, BenchFailedError."""
    rows: list[Row] = []
    for best in options.continuation or [Continuation.KV]:
        with _served(options.config, best) as url:
            measured, missed = _measure(GatewayClient(url, None), options)
        rows += measured
        if missed:
            sys.stderr.write(f"{best}: {missed} answers ended before they had moved\n")
    told = [json.dumps([row.describe() for row in rows], indent=2)] if options.json else table(rows)
    sys.stdout.write("\n".join(told) + "\n")
    return 0


def _measure(client: GatewayClient, options: argparse.Namespace) -> tuple[list[Row], int]:
    """The rows, and how many answers did not move."""
    bench = HandoffBench(client, options.tokens, prepared=options.prepared)
    try:
        bench.run(PROMPTS[: options.prompts], options.cuts, options.seed)
        return summarise(bench.moves, bench.ordinary_gaps_ms, bench.bytes_moved()), bench.missed
    finally:
        bench.close()
        client.close()


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError("has to be at least 1")
    return count


@contextmanager
def _served(configuration: Path, best: str) -> Iterator[str]:
    """A gateway in a process of its own that knows no better continuation than that; its URL."""
    settings = load_settings(configuration)
    fetch_missing(read_backends(settings), load_catalogue(CATALOGUE), Cache(default_root(os.environ)))
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(configuration, best, there))
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


def _serve(configuration: Path, best: str, ready: Connection) -> None:
    logging.basicConfig(level=logging.ERROR)  # that zones become hot is no news here
    settings = _at_once(load_settings(configuration))
    for better in _better(best):
        del KINDS[better]  # this process is the only one that reads them here
    cache = Cache(default_root(os.environ))
    app = create_app(settings, model_finder(load_catalogue(CATALOGUE), cache))

    async def tell(url: str) -> None:
        await app.state.serving.settled()
        ready.send(url)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(app, settings.server, tell))


def _better(best: str) -> Sequence[str]:
    ladder = [*KINDS]
    return ladder[: ladder.index(best)]


def _at_once(settings: Settings) -> Settings:
    """On a free port, with zones that may cool down as quickly as they are told to."""
    server = settings.server.model_copy(update={"host": "127.0.0.1", "port": 0})
    zones = tuple(zone.model_copy(update={"dwell_seconds": 0}) for zone in settings.zones)
    return settings.model_copy(update={"server": server, "zones": zones})
