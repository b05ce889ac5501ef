"""A gateway as a person starts it: `python -m app serve` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "config" / "isotherm.yaml"
CHAT_MODEL, EMBEDDING_MODEL = "smollm2-135m", "wordllama-256"
ENVIRON = dict(os.environ)  # as it was before any fixture: to fetch something may take the proxy of this machine

_START_SECONDS = 600.0  # the first one fetches the models
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02
_LISTENS = re.compile(r"^Isotherm listens on (http://\S+)", re.MULTILINE)

T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, *, within_seconds: float = 20.0) -> T:
    """What `look` finds, once that is something; an error that says `what` was waited for when it never is."""
    deadline = time.monotonic() + within_seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_seconds:g} s: {what}")
        time.sleep(_POLL_SECONDS)
    return found


class Gateway:
    """`url` is where it listens; `said` is the greeting that it printed."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self.process = process
        self._directory = directory
        eventually(self._listens, "the gateway listens", within_seconds=_START_SECONDS)
        self.said = (directory / "stdout").read_text()
        found = _LISTENS.search(self.said)
        assert found is not None
        self.url = found[1]

    @property
    def api(self) -> str:
        """The base URL for an SDK."""
        return f"{self.url}/v1"

    @property
    def log(self) -> str:
        return (self._directory / "stderr").read_text()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False, timeout=10)

    def backends(self) -> dict[str, dict[str, Any]]:
        """What /admin/backends says, by id."""
        return {backend["id"]: backend for backend in self.get("/admin/backends").json()["data"]}

    def healthy(self) -> set[str]:
        """The backends that take jobs."""
        return {name for name, backend in self.backends().items() if backend["health"] == "closed"}

    def busy(self) -> int:
        """How many jobs have a place somewhere, or wait for one."""
        return sum(backend["busy"] + backend["waiting"] for backend in self.backends().values())

    def programs(self, name: str = "") -> list[psutil.Process]:
        """The programs that it runs beside itself, by a part of their command line."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if name in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    def open_files(self) -> int:
        """How many file descriptors it has."""
        count: int = psutil.Process(self.process.pid).num_fds()
        return count

    def stop(self) -> int:
        """Ask it to leave; its exit status. Nothing that it started may be left."""
        if self.process.poll() is not None:
            return self.process.returncode
        programs = self.programs()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(_STOP_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            left = left_of(programs)
        assert not left, f"still running: {left}"
        return status

    def _listens(self) -> bool:
        assert self.process.poll() is None, f"the gateway ended:\n{self.log[-2000:]}"
        return _LISTENS.search((self._directory / "stdout").read_text()) is not None


def left_of(programs: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after a few seconds; they don't any more when this returns."""
    _, left = psutil.wait_procs(programs, timeout=5)
    for program in left:
        program.kill()
    return list(left)


@contextmanager
def serving(directory: Path, config: Path = CONFIG, environ: Mapping[str, str] | None = None) -> Iterator[Gateway]:
    """A gateway that listens, and is stopped; what it says is kept in the directory."""
    command = [sys.executable, "-m", "app", "serve", "--config", str(config), "--port", "0"]
    with (directory / "stdout").open("wb") as stdout, (directory / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**ENVIRON, **(environ or {})},
            stdout=stdout,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
        )
    try:
        gateway = Gateway(process, directory)
        yield gateway
        gateway.stop()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
