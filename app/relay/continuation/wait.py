"""`wait`: nothing can take the answer now, so what was written is kept until something can, or for so long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from app.relay.watch import Watch

_FIRST_SECONDS = 0.25
_LONGEST_SECONDS = 2.0


async def tries(watch: Watch, max_seconds: float, pause: Callable[[float], Awaitable[None]]) -> AsyncIterator[float]:
    """Moments at which to try again, ever less often; each tells the seconds waited. The client hears that it waits."""
    since, seconds = watch.clock(), _FIRST_SECONDS
    while (waited := watch.clock() - since) < max_seconds:
        watch.hold()
        await pause(min(seconds, max_seconds - waited))
        seconds = min(2 * seconds, _LONGEST_SECONDS)
        yield watch.clock() - since
