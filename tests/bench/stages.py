"""What is measured of one peer, stage by stage; every stage gives its measures by name."""

import asyncio
import json
import statistics
import subprocess
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import proc, wire
from tests.bench.peers import WHOLE, Peer
from tests.bench.programs import CannotMeasureError
from tests.bench.streams import OpenStreams, first_chunks

Measures = dict[str, float]
Stage = Callable[[Peer, float], Coroutine[Any, Any, Measures]]

CONNECTIONS = 32
MANY_STREAMS = 256
IDLE_STREAMS = 1000
SETTLE_SECONDS = 0.3
_POST_LUA = Path(__file__).with_name("post.lua")


def stages(wrk: str) -> dict[str, Stage]:
    """The stages by name, in the order they are run."""
    return {
        "requests": partial(_requests, wrk),
        "latency": partial(_latency, wrk),
        "burst": partial(_burst, wrk),
        "first-1": partial(_first_chunk, 1),
        "first-32": partial(_first_chunk, 32),
        "first-256": partial(_first_chunk, MANY_STREAMS),
        "paced": partial(_chunks, "paced40", "paced"),
        "saturated": partial(_chunks, "paced5", "saturated"),
    }


async def memory(peer: Peer) -> Measures:
    """Resident memory before anything was asked for, and what each idle open stream adds."""
    if peer.pid is None:
        return {}
    idle = proc.resident_bytes(peer.pid)
    async with OpenStreams(peer, "idle", CONNECTIONS):
        pass  # what the first streams alone cost: late imports, pools
    before = proc.resident_bytes(peer.pid)
    async with OpenStreams(peer, "idle", IDLE_STREAMS):
        await asyncio.sleep(SETTLE_SECONDS)
        added = proc.resident_bytes(peer.pid) - before
    return {"idle_mb": idle / 1e6, "kib_per_stream": added / IDLE_STREAMS / 1024}


def memory_after(peer: Peer) -> Measures:
    """Resident memory after all the load."""
    return {"after_mb": proc.resident_bytes(peer.pid) / 1e6} if peer.pid else {}


async def _requests(wrk: str, peer: Peer, seconds: float) -> Measures:
    happened = await _wrk(wrk, peer, WHOLE, CONNECTIONS, seconds)
    measures = {"requests_per_second": happened["per_second"], "busy_p99_ms": happened["p99_ms"]}
    return measures | ({"request_cpu_us": happened["cpu_us"]} if peer.pid else {})


async def _latency(wrk: str, peer: Peer, seconds: float) -> Measures:
    happened = await _wrk(wrk, peer, WHOLE, 1, seconds)
    return {"p50_ms": happened["p50_ms"], "p99_ms": happened["p99_ms"]}


async def _burst(wrk: str, peer: Peer, seconds: float) -> Measures:
    happened = await _wrk(wrk, peer, "burst", CONNECTIONS, seconds)
    measures = {"streams_per_second": happened["per_second"]}
    return measures | ({"stream_cpu_us": happened["cpu_us"]} if peer.pid else {})


async def _wrk(wrk: str, peer: Peer, case: str, connections: int, seconds: float) -> Measures:
    door = peer.doors[case]
    load = ["-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s", "-s", str(_POST_LUA)]
    cpu = _cpu_seconds(peer)
    process = await asyncio.create_subprocess_exec(
        wrk, *load, door.url, "--", door.body.decode(), wire.KEY, stdout=subprocess.PIPE
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    cpu = _cpu_seconds(peer) - cpu
    happened = json.loads(output.splitlines()[-1])
    if happened["errors"] or not happened["requests"]:
        raise CannotMeasureError(f"{peer.name} failed under load in the case {case!r}: {happened}")
    requests = happened["requests"]
    return {
        "per_second": requests / happened["microseconds"] * 1e6,
        "p50_ms": happened["p50"] / 1e3,
        "p99_ms": happened["p99"] / 1e3,
        "cpu_us": cpu / requests * 1e6,
    }


async def _first_chunk(open_streams: int, peer: Peer, seconds: float) -> Measures:
    async with OpenStreams(peer, "paced40", open_streams - 1):
        times = await first_chunks(peer, seconds)
    return {f"first_chunk_{open_streams}_ms": statistics.median(times) * 1e3}


async def _chunks(case: str, label: str, peer: Peer, seconds: float) -> Measures:
    async with OpenStreams(peer, case, MANY_STREAMS) as streams:
        await asyncio.sleep(SETTLE_SECONDS)
        chunks, cpu, began = streams.tally.chunks, _cpu_seconds(peer), time.perf_counter()
        await asyncio.sleep(seconds)
        chunks = streams.tally.chunks - chunks
        cpu = _cpu_seconds(peer) - cpu
        took = time.perf_counter() - began
    measures = {f"{label}_chunks_per_second": chunks / took}
    return measures | ({f"{label}_cpu_us": cpu / chunks * 1e6} if peer.pid else {})


def _cpu_seconds(peer: Peer) -> float:
    return proc.cpu_seconds(peer.pid) if peer.pid else 0.0
