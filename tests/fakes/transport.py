"""The two ends of a connection without a network: what a protocol does with its transport and its loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class FakeTransport(asyncio.Transport):
    """Remembers what was asked of it. `lost` is called soon after an abort, as asyncio does;
    `gone` says that there is nothing left to lose.
    """

    def __init__(self, lost: Callable[[Exception | None], None] = lambda _: None) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.paused = False
        self.aborted = False
        self.gone = False
        self.asked = asyncio.Event()
        self._lost = lost

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        self.asked.set()

    def abort(self) -> None:
        self.aborted = True
        if not self.gone:
            self.gone = True
            asyncio.get_running_loop().call_soon(self._lost, None)

    def is_closing(self) -> bool:
        return self.gone

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class FakeLoop:
    """The running loop, but for its clock: what should happen later waits in `later`."""

    def __init__(self) -> None:
        self.later: list[Callable[[], object]] = []

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> None:
        self.later.append(lambda: callback(*args))
