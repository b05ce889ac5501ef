"""Jobs of one child process over JSON lines: numbered, answered line by line, cancelled, failed when it dies.

A job goes out as {"id", ...}. What comes back has the same id: any number of lines, the last one with "end"
(true, or why). {"id", "error"} fails the job; with "status" it is the caller's fault ("param" and "code" as
in OpenAI's envelope). A caller who leaves early sends {"cancel": id}.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from app.domain.errors import BackendError, BackendRefusedError, JobRejectedError, StreamBrokenError
from backends.upstream.refusal import safe
from backends.workers.child import Child, Line

_GONE: Line = {"error": "its program ended"}


class Jobs:
    """The child process and what it is working on."""

    def __init__(self, backend: str, program: Path, configuration: Mapping[str, Any]) -> None:
        self._backend = backend
        self._child = Child(backend, program, configuration, on_line=self._deliver, on_exit=self._fail_all)
        self._inboxes: dict[int, asyncio.Queue[Line]] = {}
        self._numbers = count(1)

    async def start(self) -> None:
        await self._child.start()

    async def stop(self) -> None:
        await self._child.stop()

    def pace(self, duty: float) -> None:
        """Work only this share of the time."""
        self._child.pace(duty)

    @property
    def pid(self) -> int | None:
        return self._child.pid

    def ready(self) -> Line:
        """What the program said when it was ready. Raises BackendRefusedError while it isn't."""
        if self._child.ready is None:
            raise self._child.absence()
        return self._child.ready

    async def run(self, job: Mapping[str, Any]) -> AsyncGenerator[Line, None]:
        """The lines of the answer. The first step raises BackendRefusedError, later ones StreamBrokenError."""
        number = next(self._numbers)
        self._child.send({"id": number, **job})
        inbox = self._inboxes[number] = asyncio.Queue()
        begun = ended = False
        try:
            while not ended:
                line = await inbox.get()
                ended = "end" in line or "error" in line
                if "error" in line:
                    raise self._failure(line, begun=begun)
                begun = True
                yield line
        finally:
            del self._inboxes[number]
            if not ended:
                with contextlib.suppress(BackendRefusedError):  # it has gone: nothing is left to cancel
                    self._child.send({"cancel": number})

    def _failure(self, line: Line, *, begun: bool) -> BackendError:
        words = safe(str(line["error"]))
        if begun:
            return StreamBrokenError(self._backend, f"stopped in the middle of its answer: {words}")
        if status := line.get("status"):
            return JobRejectedError(self._backend, status, words, param=line.get("param"), code=line.get("code"))
        return BackendRefusedError(self._backend, f"failed: {words}")

    def _deliver(self, line: Line) -> None:
        # a job whose caller has left may still have lines on their way
        if inbox := self._inboxes.get(line.get("id", 0)):
            inbox.put_nowait(line)

    def _fail_all(self) -> None:
        for inbox in self._inboxes.values():
            inbox.put_nowait(_GONE)
