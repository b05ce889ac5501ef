"""The benchmark of the gateway's hot path, beside nginx and beside a direct connection: `make bench`.

    python -m tests.bench.gateway [--quick] [--rounds N] [--seconds S] [--only PEER] [--stage NAME] [--json F]

The gateway alone has one core; the fake upstreams and the load share another. Everybody is measured in
turn, stage by stage, round by round, and the medians are printed. Compare the ratios: the figures are this
machine's.
"""

import argparse
import contextlib
import gc
import json
import os
import platform
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvloop

if not __package__:  # run as a file: what is imported is named from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.bench import peers, proc, programs, report, stages

NOTE = """
added: beyond the direct connection, whose own figure stands in its column. ratio: Isotherm to nginx.
Other programs took {others:.0%} of the two cores meanwhile. Even alone, figures move by a fifth from run to run;
under other work the CPU times hold best.
"""


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 0 unless that was impossible."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    try:
        samples, others = _measure(options)
    except programs.CannotMeasureError as error:
        sys.stderr.write(f"cannot measure: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    _print(f"{report.table(samples)}{NOTE.format(others=others)}")
    if options.json:
        options.json.write_text(json.dumps(_record(samples), indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each peer is measured (3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each stage lasts (3)")
    parser.add_argument("--quick", action="store_true", help="one round of one second: a first look")
    parser.add_argument("--only", choices=["nginx", "isotherm"], help="leave the other one out")
    parser.add_argument("--stage", action="append", choices=["memory", *stages.stages("")], help="only these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there too")
    return parser


def _measure(options: argparse.Namespace) -> tuple[report.Samples, float]:
    """The samples, and the share of the two cores that other programs took meanwhile."""
    cores, found = programs.two_cores(), programs.find_programs()
    programs.raise_open_files()
    names = ["direct", options.only] if options.only else list(peers.PEERS)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="isotherm-bench-")))
        place = peers.Place(*cores, found, directory)
        upstreams = stack.enter_context(peers.upstreams(place))
        running = [stack.enter_context(peers.PEERS[name](place, upstreams)) for name in names]
        programs.pin(place.load_core)
        gc.freeze()
        gc.disable()
        began, before = time.monotonic(), _others_seconds(cores)
        samples = _run(running, found["wrk"], options)
        share = (_others_seconds(cores) - before) / len(cores) / (time.monotonic() - began)
        return samples, max(0.0, share)


def _run(running: list[peers.Peer], wrk: str, options: argparse.Namespace) -> report.Samples:
    samples: report.Samples = {peer.name: {} for peer in running}
    rounds, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
    chosen = {n: stage for n, stage in stages.stages(wrk).items() if not options.stage or n in options.stage}
    weigh = not options.stage or "memory" in options.stage
    _print(f"{_machine()}; {rounds} round(s) of {seconds:g} s\n")
    for peer in running:
        peers.check(peer)
        if weigh:
            _keep(samples, peer, uvloop.run(stages.memory(peer)))
    for number in range(1, rounds + 1):
        for name, stage in chosen.items():
            _progress(f"round {number}/{rounds}: {name}")
            for peer in running:
                _keep(samples, peer, uvloop.run(stage(peer, seconds)))
    for peer in running:
        if weigh:
            _keep(samples, peer, stages.memory_after(peer))
    _progress("")
    return samples


def _keep(samples: report.Samples, peer: peers.Peer, measures: stages.Measures) -> None:
    for measure, value in measures.items():
        samples[peer.name].setdefault(measure, []).append(value)


def _others_seconds(cores: tuple[int, int]) -> float:
    return proc.busy_seconds(cores) - proc.family_seconds(os.getpid())


def _machine() -> str:
    machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    return f"{machine}, load {os.getloadavg()[0]:.2f} before"


def _record(samples: report.Samples) -> dict[str, object]:
    return {
        "machine": platform.platform(),
        "python": platform.python_version(),
        "medians": report.medians(samples),
        "samples": samples,
    }


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
