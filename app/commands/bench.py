"""`isotherm bench`: measures on this machine what Isotherm promises."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from app.commands import doubt_bench
from app.commands.gateway_client import GatewayClient
from app.commands.handoff_bench import PROMPTS, HandoffBench
from app.commands.handoff_figures import Row, summarise, table
from app.commands.served import served
from app.domain.handoff import Continuation
from app.relay.continuation.rung import KINDS
from config.settings import Settings

_CONFIGURATION = Path(__file__).parent.parent.parent / "config" / "demo.yaml"


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
    doubt_bench.add_to(benches)


def bench_handoff(options: argparse.Namespace) -> int:
    """Raises ConfigurationError, ModelFetchError, GatewayUnreachableError, BenchFailedError."""
    rows: list[Row] = []
    for best in options.continuation or [Continuation.KV]:
        with served(options.config, partial(_at_once, best)) as url:
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


def _at_once(best: str, settings: Settings) -> Settings:
    """In the gateway's process: zones may cool down at once, and no better continuation is known."""
    ladder = [*KINDS]
    for better in ladder[: ladder.index(best)]:
        del KINDS[better]  # this process is the only one that reads them here
    zones = tuple(zone.model_copy(update={"dwell_seconds": 0}) for zone in settings.zones)
    return settings.model_copy(update={"zones": zones})
