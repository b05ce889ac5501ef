"""Asks each backend how it is, at its own pace, and warms up those that want it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import cast

from app.domain.backend import Capability, Health
from app.domain.errors import BackendError, BackendStartingError, place_of
from app.domain.job import Job
from backends.base import Chats
from backends.lane import Lane

logger = logging.getLogger(__name__)

_START_INTERVAL_SECONDS = 0.1


class Prober:
    """One task a lane; `settled` once a first probe has ended, well or not.

    While a backend has not answered yet it is asked often, so that it is used as soon as it can be. `pause` waits
    between two probes.
    """

    def __init__(
        self,
        lane: Lane,
        clock: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._lane = lane
        self.settled = asyncio.Event()
        self._clock = clock
        self._pause = pause
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._lane.backend.start()
        self._task = asyncio.create_task(self._run(), name=f"prober {self._lane.profile.id}")

    async def stop(self) -> None:
        try:
            if self._task is not None:
                self._task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._task
        finally:
            await self._lane.backend.stop()

    async def _run(self) -> None:
        interval = self._lane.settings.health.interval_seconds
        pause = min(_START_INTERVAL_SECONDS, interval)
        seen = False
        while True:
            well = await self.probe()
            if well and not seen:
                seen = True
                await self._warm_up()
            pause = interval if well or seen else min(pause * 1.5, interval)
            await self._pause(pause)

    async def probe(self) -> bool:
        """Ask once; says so in the log when the answer changes things."""
        lane, before = self._lane, self._lane.breaker.health
        timeout = lane.settings.timeouts.connect + lane.settings.health.interval_seconds
        try:
            async with asyncio.timeout(timeout):
                lane.found(await lane.backend.probe())
            lane.breaker.probed()
        except BackendStartingError as error:
            lane.breaker.reason = error.message
            return False
        except (BackendError, TimeoutError) as error:
            reason = error.message if isinstance(error, BackendError) else "a probe was not answered in time"
            lane.breaker.probe_failed(self._clock(), reason)
        except Exception as error:  # noqa: BLE001 (a kind's own mistake must not end the asking)
            reason = f"its probe has a bug ({type(error).__name__})"
            if reason != lane.breaker.reason:
                logger.error("backend %s: its probe has a bug (%s)", lane.profile.id, place_of(error))
            lane.breaker.probe_failed(self._clock(), reason)
        self.settled.set()
        after = lane.breaker.health
        if after is not before:
            level = logging.INFO if after is not Health.OPEN or before is Health.UNKNOWN else logging.WARNING
            logger.log(level, "backend %s: %s -> %s %s", lane.profile.id, before, after, lane.breaker.reason)
        return after is not Health.OPEN

    async def _warm_up(self) -> None:
        lane = self._lane
        if not lane.settings.warm_up:
            return
        for model in tuple(lane.models.values()):
            if Capability.CHAT in (model.capabilities or lane.profile.honours):
                await self._warm_up_model(model.name)

    async def _warm_up_model(self, model: str) -> None:
        lane = self._lane
        chat = cast(Chats, lane.backend).chat  # its profile says that it can
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
        try:
            async with (
                asyncio.timeout(lane.settings.timeouts.first_token),
                aclosing(chat(Job("warm-up", Capability.CHAT, model, body))) as blocks,
            ):
                async for _ in blocks:
                    pass
        except (BackendError, TimeoutError) as error:
            reason = error.message if isinstance(error, BackendError) else "it took too long"
            logger.warning("backend %s: warm-up of %s failed: %s", lane.profile.id, model, reason)
        except Exception as error:  # noqa: BLE001 (as in `probe`)
            logger.error("backend %s: warm-up of %s met a bug (%s)", lane.profile.id, model, place_of(error))
