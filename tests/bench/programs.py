"""Child programs, each pinned to a core, each stopped by its own process id whatever happens."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.bench import proc

STOP_SECONDS = 5.0
START_SECONDS = 30.0
DEBIAN_PACKAGES = {"nginx": "nginx-light", "wrk": "wrk"}


class CannotMeasureError(Exception):
    """This machine, or one of the programs measured, is not fit for the benchmark; the message says why."""


def two_cores() -> tuple[int, int]:
    """The core for the gateway and the core for the upstream and the load."""
    if not hasattr(os, "sched_getaffinity"):
        raise CannotMeasureError("the benchmark pins programs to cores, which only Linux lets it do")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise CannotMeasureError("the benchmark needs two cores: one for the gateway, one for the load")
    return cores[0], cores[1]


def find_programs() -> dict[str, str]:
    """Where nginx and wrk are."""
    places = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    found = {name: shutil.which(name, path=places) for name in DEBIAN_PACKAGES}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        packages = " ".join(DEBIAN_PACKAGES[name] for name in missing)
        raise CannotMeasureError(
            f"{' and '.join(missing)} not found; on Debian or Ubuntu: sudo apt-get install {packages}"
        )
    return {name: path for name, path in found.items() if path}


def raise_open_files() -> None:
    """Let this process and its children open a socket per stream, a thousand streams at once."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: Sequence[str], core: int, log: Path, cwd: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program on one core, its output in a file, ended when the block is left."""
    with log.open("wb") as output, _pinned(core):
        program = subprocess.Popen(
            list(command), cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield program
    finally:
        _stop(program)


def wait_until(ready: Callable[[], bool], program: subprocess.Popen[bytes], log: Path, name: str) -> None:
    """Return once `ready` says so; the log's last lines if the program ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if program.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:].strip()
            what = "ended" if program.poll() is not None else "was not ready in time"
            raise CannotMeasureError(f"{name} {what}; it said:\n{tail or '(nothing)'}")
        time.sleep(0.05)


def pin(core: int) -> None:
    """Keep this process on one core."""
    os.sched_setaffinity(0, {core})


@contextlib.contextmanager
def _pinned(core: int) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    pin(core)  # a child inherits it
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _stop(program: subprocess.Popen[bytes]) -> None:
    program.terminate()  # nginx's master and the gateway stop their own children
    try:
        program.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for child in proc.children(program.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        program.kill()
        program.wait()
