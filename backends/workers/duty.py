"""A duty cycle: a program is stopped for a part of each period, so that it works only the rest of the time.

Stopping is SIGSTOP and SIGCONT (POSIX): every thread of the program stands still, its memory and connections stay.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

PERIOD_SECONDS = 0.5


class Duty:
    """`send` gives the program a signal, if there is one; `pause` waits. There is a task only while the share is
    under 1. To be used where an event loop runs.
    """

    def __init__(
        self, send: Callable[[signal.Signals], None], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._send = send
        self._pause = pause
        self._share = 1.0
        self._cycle: asyncio.Task[None] | None = None

    def set(self, share: float) -> None:
        """Work this share of the time from now on. Raises ValueError for what is none (0..1]."""
        if not 0 < share <= 1:
            raise ValueError(f"a duty is a share of time over 0 and up to 1, not {share:g}")
        self._share = share
        if share == 1:
            self._end()
        elif self._cycle is None:
            self._cycle = asyncio.create_task(self._run(), name="duty cycle")

    def _end(self) -> None:
        """Nothing is stopped after this, and what is goes on."""
        if self._cycle is not None:
            self._cycle.cancel()
            self._cycle = None
            self._send(signal.SIGCONT)

    async def _run(self) -> None:
        while True:
            self._send(signal.SIGCONT)
            await self._pause(PERIOD_SECONDS * self._share)
            self._send(signal.SIGSTOP)
            await self._pause(PERIOD_SECONDS * (1 - self._share))
