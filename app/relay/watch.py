"""The clocks of the running answers: one tick looks at all of them, so that no chunk has to set a timer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.domain.errors import BackendError, BackendTimeoutError
from backends.base import Timeouts

TICK_SECONDS = 0.25

T = TypeVar("T")


class Watch:
    """One answer's clocks, all by the same monotonic one.

    `waiting_since` is when it began to wait for its backend, None while it doesn't wait (the client reads, say).
    `task` serves the client; `reader` waits for the backend: the same task, as a rule.
    `quiet_since` is when the client last got something, while an answer moves. `on_long` is called once, when the
    answer outlives a tick; `on_silence` whenever nothing came for too long.
    """

    __slots__ = (
        *("backend", "began", "broke_silence_at", "clock", "expired", "left", "on_long", "on_silence"),
        *("quiet_since", "reader", "started", "task", "timeouts", "waiting_since"),
    )

    def __init__(self, began: float, task: asyncio.Task[object], clock: Callable[[], float]) -> None:
        self.task = task
        self.reader: asyncio.Task[object] | asyncio.Task[None] = task
        self.clock = clock
        self.began = began
        self.backend = ""
        self.timeouts: Timeouts | None = None
        self.started = False
        self.waiting_since: float | None = None
        self.quiet_since: float | None = None
        self.broke_silence_at = 0.0
        self.expired: BackendError | None = None
        self.left = False
        self.on_long: Callable[[], None] | None = None
        self.on_silence: Callable[[], None] | None = None

    def begin(self, backend: str, timeouts: Timeouts) -> None:
        """Another backend is asked: its own clocks start."""
        self.backend, self.timeouts = backend, timeouts
        self.started, self.expired = False, None

    def go_on(self, backend: str, timeouts: Timeouts) -> None:
        """Another backend goes on with the answer: it may take as long to begin as between two of its chunks."""
        self.begin(backend, timeouts)
        self.started = True

    def hold(self) -> None:
        """No backend is asked: only silence is broken."""
        self.timeouts = None
        self.waiting_since = self.clock()

    def out_of_time(self) -> bool:
        """Whether this backend would be too late whatever it did."""
        return self.timeouts is not None and self.clock() - self.began > self.timeouts.total

    def look(self, now: float, silence_seconds: float) -> None:
        """Cancel what took too long, listen for the client's leaving, break a silence."""
        if self.on_long is not None:
            on_long, self.on_long = self.on_long, None
            on_long()
        late = self._late(now)
        if late is not None and self.expired is None:
            self.fail(BackendTimeoutError(self.backend, late))
        elif self.on_silence is not None and self._silent(now) >= silence_seconds:
            self.broke_silence_at = now
            self.on_silence()

    def fail(self, error: BackendError) -> None:
        """Whoever waits for the backend gets this instead."""
        self.expired = error
        self.reader.cancel()

    async def guard(self, step: Awaitable[T]) -> T:
        """Wait for a step of the backend's. Raises BackendTimeoutError when it took too long."""
        self.waiting_since = self.clock()
        try:
            return await step
        except asyncio.CancelledError as error:
            raise self.cause(error) from None
        finally:
            self.waiting_since = None

    async def in_line(self, place: Awaitable[None]) -> None:
        """Wait for a place at the backend: it is not late yet, but the whole answer may be."""
        try:
            await place
        except asyncio.CancelledError as error:
            raise self.cause(error) from None

    def leave(self) -> None:
        """The client has gone: stop whatever is being done for it."""
        self.left = True
        self.task.cancel()

    def cause(self, error: asyncio.CancelledError) -> BaseException:
        """Why the task was cancelled: by us, for being late, or by somebody else."""
        return error if self.expired is None or self.left or self.reader.uncancel() else self.expired

    def _silent(self, now: float) -> float:
        """Seconds since the client last got something."""
        since = self.waiting_since if self.quiet_since is None else self.quiet_since
        return 0.0 if since is None else now - max(since, self.broke_silence_at)

    def _late(self, now: float) -> str | None:
        timeouts = self.timeouts
        if timeouts is None:
            return None
        if now - self.began > timeouts.total:
            return f"took longer than {timeouts.total:g} s for the whole answer"
        if self.waiting_since is None:
            return None
        waited = now - self.waiting_since
        if not self.started and waited > timeouts.first_token:
            return f"sent nothing for {timeouts.first_token:g} s"
        if self.started and waited > timeouts.stall:
            return f"stalled for {timeouts.stall:g} s in the middle of the answer"
        return None


class Watchman:
    """Holds the watches of all running answers and looks at them four times a second."""

    def __init__(self, silence_seconds: float, clock: Callable[[], float]) -> None:
        self.silence_seconds = silence_seconds
        self.clock = clock
        self._watches: set[Watch] = set()

    def watch(self) -> Watch:
        """Begin to watch the current task."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an answer is carried by a task")
        watch = Watch(self.clock(), task, self.clock)
        self._watches.add(watch)
        return watch

    def forget(self, watch: Watch) -> None:
        watch.on_long = watch.on_silence = None  # they lead back to the watch: let go of the circle
        self._watches.discard(watch)

    def look(self, now: float) -> None:
        for watch in tuple(self._watches):
            watch.look(now, self.silence_seconds)

    def turn_away(self, error: BackendError, now: float, patience_seconds: float) -> None:
        """Whoever has waited so long for the first words of the error's backend waits for it no more."""
        for watch in tuple(self._watches):
            since = watch.waiting_since
            waits = watch.backend == error.backend and not watch.started and watch.expired is None
            if waits and since is not None and now - since >= patience_seconds:
                watch.fail(error)

    def __len__(self) -> int:
        return len(self._watches)

    async def run(self) -> None:
        """Look, again and again, until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.look(self.clock())
