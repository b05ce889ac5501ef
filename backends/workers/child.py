"""A program that runs beside the gateway: started, watched, started again with backoff, and stopped with it.

They talk in lines of JSON: the first line to the program is its configuration, its first line back says that
it is ready. When the gateway is gone, however it went, the program reads the end of its input and leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from app.domain.errors import BackendRefusedError, BackendStartingError
from backends.upstream.refusal import safe
from backends.workers.duty import Duty

logger = logging.getLogger(__name__)

_LINE_LIMIT_BYTES = 16 * 1024 * 1024
_FIRST_BACKOFF_SECONDS = 1.0
_LAST_BACKOFF_SECONDS = 30.0
_SETTLED_SECONDS = 60.0
_LAST_WORDS_SECONDS = 0.5

Line = dict[str, Any]


class Child:
    """`on_line` gets every line after the ready one; `on_exit` is called when the program has gone.

    `ready` is what the ready line said, None while there is none to talk to. `pause` waits between two tries, and
    `stop_seconds` is how long it may take to leave when asked to.
    """

    def __init__(
        self,
        backend: str,
        program: Path,
        configuration: Mapping[str, Any],
        *,
        on_line: Callable[[Line], None] = lambda _: None,
        on_exit: Callable[[], None] = lambda: None,
        stop_seconds: float = 5.0,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ready: Line | None = None
        self._backend = backend
        self._program = program
        self._configuration = configuration
        self._on_line = on_line
        self._on_exit = on_exit
        self._stop_seconds = stop_seconds
        self._pause = pause
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._last_words: deque[str] = deque(maxlen=5)
        self._ended_before = False
        self._duty = Duty(self._send_signal, pause)

    async def start(self) -> None:
        """Begin, and keep it going until `stop`."""
        self._keeper = asyncio.create_task(self._keep(), name=f"child {self._backend}")

    async def stop(self) -> None:
        """Ask it to leave, insist after a few seconds."""
        self._duty.set(1)
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        if self._ending is not None:
            await self._ending

    def send(self, line: Mapping[str, Any]) -> None:
        """Raises BackendRefusedError when it isn't running."""
        if self.ready is None or self._process is None or self._process.stdin is None:
            raise self.absence()
        self._process.stdin.write(orjson.dumps(line) + b"\n")

    def pace(self, duty: float) -> None:
        """Work only this share of the time, again too when it was started anew; from `start` to `stop`.

        The program must have called `end_with_parent` before it says that it is ready.
        """
        if self._keeper is not None:
            self._duty.set(duty)

    def absence(self) -> BackendRefusedError:
        """Why there is nobody to talk to: it is still loading, or it ended."""
        if self._ended_before:
            words = f"; its last words: {safe(self._last_words[-1])}" if self._last_words else ""
            return BackendRefusedError(self._backend, f"is not running{words}")
        return BackendStartingError(self._backend, "is still starting")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def _keep(self) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            started = self._clock()
            try:
                await self._run()
            except OSError as error:
                self._last_words.append(f"it could not be started: {error.strerror}")
            self._ended_before = True
            if self._clock() - started > _SETTLED_SECONDS:
                backoff = _FIRST_BACKOFF_SECONDS
            words = "; ".join(self._last_words)
            logger.warning("backend %s: its program ended, next try in %.0f s: %s", self._backend, backoff, words)
            await self._pause(backoff)
            backoff = min(2 * backoff, _LAST_BACKOFF_SECONDS)

    async def _run(self) -> None:
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            str(self._program),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT_BYTES,
            start_new_session=True,  # Ctrl-C is the gateway's: it lets running answers end first
        )
        listener = asyncio.create_task(self._listen_to_errors(process))
        try:
            assert process.stdin is not None  # noqa: S101 (asked for above)
            process.stdin.write(orjson.dumps(self._configuration) + b"\n")
            await self._listen(process)
        except ValueError:
            self._last_words.append("it said something that is no line of JSON")
        finally:
            self.ready = None
            self._on_exit()
            self._ending = asyncio.create_task(self._end(process, listener))
            await asyncio.shield(self._ending)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 (asked for above)
        while line := await process.stdout.readline():
            message = orjson.loads(line)
            if not isinstance(message, dict):
                raise ValueError("a line is no object")
            if self.ready is None:
                self.ready = message
            else:
                self._on_line(message)

    async def _listen_to_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101 (asked for above)
        async for line in process.stderr:
            if text := line.decode("utf-8", "replace").strip():
                self._last_words.append(text[:300])

    def _send_signal(self, number: signal.Signals) -> None:
        """Only while it is ready: before that nothing may end it with the gateway, after that it is to leave."""
        if self.ready is not None and self._process is not None:
            _send_signal(self._process, number)

    async def _end(self, process: asyncio.subprocess.Process, listener: asyncio.Task[None]) -> None:
        """A task of its own: whoever stops us amid it waits for it."""
        _send_signal(process, signal.SIGCONT)  # who is stopped can't leave
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(self._stop_seconds):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        # its last words may still be on their way; whatever it started itself may go on for ever
        await asyncio.wait([listener], timeout=_LAST_WORDS_SECONDS)
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


def _send_signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Nothing to one that has ended: its number may be another's by now."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
