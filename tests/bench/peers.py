"""What is measured side by side: a direct connection, nginx, Isotherm."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.bench import nginx, proc, programs, wire

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
STREAMS = ("burst", "paced5", "paced40", "probe", "idle")
WHOLE = "whole"


@dataclass(frozen=True)
class Place:
    """Where a run happens: the cores, the programs, a directory for what they write."""

    gateway_core: int
    load_core: int
    programs: dict[str, str]
    directory: Path


@dataclass(frozen=True)
class Upstreams:
    """The two fake upstreams' ports."""

    whole: int
    streams: int


@dataclass(frozen=True)
class Door:
    """Where one case is asked for, and how."""

    port: int
    path: str
    body: bytes

    @property
    def url(self) -> str:
        """For clients that want one."""
        return f"http://{HOST}:{self.port}{self.path}"

    @property
    def request(self) -> bytes:
        """For clients that write to a socket."""
        return wire.request(self.path, self.body)


@dataclass(frozen=True)
class Peer:
    """One way to the upstream, and the id of the process that carries it (none if direct)."""

    name: str
    doors: dict[str, Door]
    pid: int | None


@contextlib.contextmanager
def upstreams(place: Place) -> Iterator[Upstreams]:
    """Both fake upstreams, running on the load's core."""
    ports = Upstreams(programs.free_port(), programs.free_port())
    prefix = place.directory / "upstream"
    whole = nginx.command(place.programs["nginx"], nginx.whole_answers(prefix, ports.whole), prefix)
    streams = [sys.executable, "-m", "tests.bench.upstream", str(ports.streams)]
    core = place.load_core
    with (
        _started("the upstream of whole answers", whole, place, core, ports.whole, "/"),
        _started("the upstream of streams", streams, place, core, ports.streams, "/burst/v1/models"),
    ):
        yield ports


@contextlib.contextmanager
def direct(place: Place, ups: Upstreams) -> Iterator[Peer]:
    """Straight to the upstreams."""
    yield Peer("direct", _doors_by_path(ups.whole, ups.streams), None)


@contextlib.contextmanager
def nginx_proxy(place: Place, ups: Upstreams) -> Iterator[Peer]:
    """nginx, one worker, forwarding."""
    port = programs.free_port()
    prefix = place.directory / "nginx"
    config = nginx.proxy(prefix, port, ups.whole, ups.streams)
    command = nginx.command(place.programs["nginx"], config, prefix)
    with _started("nginx", command, place, place.gateway_core, port, "/burst/v1/models") as master:
        (worker,) = proc.children(master.pid)
        yield Peer("nginx", _doors_by_path(port, port), worker)


@contextlib.contextmanager
def isotherm(place: Place, ups: Upstreams) -> Iterator[Peer]:
    """Isotherm with everything on: keys, routing, the record, metrics."""
    port = programs.free_port()
    config = place.directory / "isotherm.yaml"
    config.write_text(json.dumps(_settings(port, ups), indent=2))  # JSON is YAML
    command = [sys.executable, "-m", "app", "serve", "--config", str(config)]
    command += ["--host", HOST, "--port", str(port)]
    path = "/v1/chat/completions"
    doors = {case: Door(port, path, wire.request_body(case, stream=True)) for case in STREAMS}
    doors[WHOLE] = Door(port, path, wire.request_body("short", stream=False))
    with _started("Isotherm", command, place, place.gateway_core, port, "/health/ready") as process:
        yield Peer("isotherm", doors, process.pid)


PEERS = {"direct": direct, "nginx": nginx_proxy, "isotherm": isotherm}


def check(peer: Peer) -> None:
    """Ask for whole answers and for streams once, so that nobody's speed is that of a wrong answer."""
    for case, marks in {WHOLE: 1, "burst": wire.CHUNKS_PER_BURST}.items():
        door = peer.doors[case]
        headers = {"Authorization": f"Bearer {wire.KEY}", "Content-Type": "application/json"}
        answer = httpx.post(door.url, content=door.body, headers=headers, trust_env=False)
        ended = case == WHOLE or answer.text.rstrip().endswith("data: [DONE]")
        if answer.status_code != 200 or answer.text.count(wire.MARK) != marks or not ended:
            raise programs.CannotMeasureError(
                f"{peer.name} answers the case {case!r} wrongly: {answer.status_code} {answer.text[:1000]}"
            )


@contextlib.contextmanager
def _started(
    name: str, command: list[str], place: Place, core: int, port: int, ready: str
) -> Iterator[subprocess.Popen[bytes]]:
    log = place.directory / f"{port}.log"
    with programs.running(command, core, log, cwd=ROOT) as program:
        url = f"http://{HOST}:{port}{ready}"
        programs.wait_until(lambda: _answers(url), program, log, name)
        yield program


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _doors_by_path(whole: int, streams: int) -> dict[str, Door]:
    doors = {
        case: Door(streams, f"/{case}/v1/chat/completions", wire.request_body(case, stream=True)) for case in STREAMS
    }
    body = wire.request_body("plain", stream=False)
    return doors | {WHOLE: Door(whole, "/plain/v1/chat/completions", body)}


def _settings(port: int, ups: Upstreams) -> dict[str, Any]:
    return {
        "server": {"host": HOST, "port": port, "api_keys": [{"name": "bench", "key": wire.KEY}]},
        "backends": [_backend(name, ups.streams) for name in ("short", *STREAMS)],
    }


def _backend(name: str, port: int) -> dict[str, Any]:
    return {
        "id": name,
        "kind": "openai",
        "url": f"http://{HOST}:{port}/{name}/v1",
        "models": [name],
        "hardware": "cpu",
        "tier": 1,
        "watts": 10,
        "concurrency": 10_000,
    }
