"""Starts the gateway, puts another in its place on reload, and stops it; no running answer is dropped."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from app import scratch
from app.domain.errors import ConfigurationError, place_of
from app.gateway import Gateway
from app.relay.watch import Watchman
from app.telemetry.decisions import Decisions
from app.thermal.poller import Poller
from app.thermal.reader import Reader
from app.thermal.watched import WatchedZone
from app.thermostat import TICK_SECONDS
from app.wiring import Parts, build, surroundings
from backends.base import Resources
from backends.lane import Lane
from backends.prober import Prober
from config.settings import Settings

logger = logging.getLogger(__name__)

_SENSOR_PATIENCE = 100  # hundredths of a second
_FIXED = ("host", "port", "cors_origins", "max_body_bytes", "drain_seconds")


class Lifecycle:
    """`gateway` is the one that new requests go to. `read_settings` reads the configuration again."""

    def __init__(
        self,
        settings: Settings,
        find_model: Callable[[str], Path],
        read_settings: Callable[[], Settings],
        clock: Callable[[], float] = time.monotonic,
        local_time: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._read_settings = read_settings
        self._scratch = scratch.make()
        self._parts = Parts.of(
            Resources(find_model, self._scratch),
            Watchman(settings.server.keep_alive_seconds, clock),
            Decisions(settings.telemetry.decisions),
            clock,
            local_time,
        )
        try:
            self.gateway: Gateway = build(settings, self._parts)
        except ConfigurationError:
            shutil.rmtree(self._scratch)
            raise
        self._probers: dict[Lane, Prober] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._beside: list[asyncio.Task[None]] = []
        self._reader = Reader()
        self._zones: set[WatchedZone] = set()
        self._reloading = asyncio.Lock()

    async def start(self) -> None:
        """Raises ConfigurationError when a backend can't be started; nothing is left running then."""
        self._beside.append(asyncio.create_task(self._parts.watchman.run(), name="watchman"))
        self._adopt(self.gateway)
        self._beside.append(asyncio.create_task(self._regulate(), name="thermostat"))
        try:
            await self._start_lanes(self.gateway)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop every backend and clean up."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._stop_lanes(self._probers)
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        for poller in _pollers(self.gateway.thermostat.monitor.watched.values()):
            self._reader.remove(poller)
        self._reader.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    async def settled(self) -> None:
        """Until every backend has answered a probe, or failed to; and every sensor, unless it takes too long."""
        for prober in self._probers.values():
            await prober.settled.wait()
        thermostat = self.gateway.thermostat
        for _ in range(_SENSOR_PATIENCE):
            if all(zone.settled() for zone in thermostat.monitor.watched.values()):
                break
            await asyncio.sleep(0.01)
        thermostat.look(self._parts.clock())

    async def reload(self) -> Gateway:
        """Read the configuration again and take it, or raise ConfigurationError and go on as before.

        Backends whose settings did not change go on as they run; those that are gone end their answers first.
        """
        async with self._reloading:
            old = self.gateway
            settings = self._read_settings()
            for name in _FIXED:
                if getattr(settings.server, name) != getattr(old.settings.server, name):
                    raise ConfigurationError("this can only change with a restart", f"server.{name}")
            new = build(settings, self._parts, previous=old)
            try:
                await self._start_lanes(new)
            except BaseException:
                await self._stop_lanes(set(self._probers) & (set(new.lanes.values()) - set(old.lanes.values())))
                raise
            self._parts.watchman.silence_seconds = settings.server.keep_alive_seconds
            self._parts.decisions.keep(settings.telemetry.decisions)
            self._adopt(new)
            for lane in set(old.lanes.values()) - set(new.lanes.values()):
                task = asyncio.create_task(self._retire(lane), name=f"retire {lane.profile.id}")
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)
            logger.info("configuration reloaded: %d backends", len(new.lanes))
            return new

    def _adopt(self, new: Gateway) -> None:
        """New requests go to this one; zones that it does not watch are let go of."""
        self.gateway = new
        self._parts.workforce.lanes = new.lanes
        self._parts.mover.around = surroundings(new)
        self._parts.resources.shelf.limit(new.settings.handoff.max_files, new.settings.handoff.max_bytes)
        before, self._zones = self._zones, set(new.thermostat.monitor.watched.values())
        for poller in _pollers(self._zones - before):
            self._reader.add(poller)
        for poller in _pollers(before - self._zones):
            self._reader.remove(poller)

    async def _regulate(self) -> None:
        """Zones, mode, pace and energy, a few times a second; a mistake of ours there must not end it."""
        told = ""
        while True:
            try:
                self._reader.look()
                self.gateway.thermostat.look(self._parts.clock())
            except Exception as error:  # noqa: BLE001
                if told != (told := place_of(error)):
                    logger.error("the thermostat has a bug (%s)", told)
            await asyncio.sleep(TICK_SECONDS)

    async def _start_lanes(self, gateway: Gateway) -> None:
        for lane in gateway.lanes.values():
            if lane not in self._probers:
                self._probers[lane] = prober = Prober(lane, self._parts.clock)
                await prober.start()

    async def _stop_lanes(self, lanes: Iterable[Lane]) -> None:
        """One that can't be stopped is no reason to leave the others running."""
        stopping = list(lanes)
        ends = await asyncio.gather(*(self._probers.pop(lane).stop() for lane in stopping), return_exceptions=True)
        for lane, end in zip(stopping, ends, strict=True):
            if end is not None:
                logger.error("backend %s could not be stopped: %s", lane.profile.id, type(end).__name__)

    async def _retire(self, lane: Lane) -> None:
        lane.pace(1.0)
        await lane.emptied()
        await self._probers.pop(lane).stop()


def _pollers(zones: Iterable[WatchedZone]) -> Iterator[Poller]:
    return (poller for zone in zones for poller in zone.pollers)
