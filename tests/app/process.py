"""The `isotherm` command as a process of its own, as a person starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LAST_WORDS = 'end="", flush=True)\n'
_PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Ended:
    """What a command said, and its exit code."""

    code: int | None
    out: str
    err: str


class Serving:
    """`isotherm serve`, once it has said what to try; `out` and `err` grow while it runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._news = asyncio.Condition()
        self.out = ""
        self.err = ""
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            asyncio.ensure_future(self._read("out", process.stdout)),
            asyncio.ensure_future(self._read("err", process.stderr)),
        ]

    @property
    def url(self) -> str:
        return self.out.partition("listens on ")[2].partition(" ")[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self._process.pid

    async def said(self, words: str) -> None:
        """Wait until it has said that, on either stream."""
        async with asyncio.timeout(_PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: words in self.out or words in self.err or self._ended())
        assert words in self.out or words in self.err, self.out + self.err

    def hang_up(self) -> None:
        self._process.send_signal(signal.SIGHUP)

    def ask_to_stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> Ended:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.gather(*self._readers)
            await self._process.wait()
        return Ended(self._process.returncode, self.out, self.err)

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self.ended()

    def _ended(self) -> bool:
        return all(reader.done() for reader in self._readers)

    async def _read(self, name: str, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            async with self._news:
                setattr(self, name, getattr(self, name) + line.decode())
                self._news.notify_all()
        async with self._news:
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self._tell()))

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def serving(configuration: Path, *more: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[Serving]:
    """`isotherm serve` on that configuration, ready; killed at the end if it still runs."""
    running = Serving(await _start("serve", "--config", str(configuration), *more, environ=environ or {}))
    try:
        await running.said(_LAST_WORDS)
        yield running
    finally:
        await running.end()


async def isotherm(*arguments: str, environ: Mapping[str, str] | None = None) -> Ended:
    """A command that ends by itself."""
    process = await _start(*arguments, environ=environ or {})
    async with asyncio.timeout(_PATIENCE_SECONDS):
        out, err = await process.communicate()
    return Ended(process.returncode, out.decode(), err.decode())


async def _start(*arguments: str, environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ISOTHERM_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app", *arguments),
        cwd=_ROOT,
        env={**ours, **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
