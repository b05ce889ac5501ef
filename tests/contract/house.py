"""A house of four backends, each of other hardware and in a simulated zone of its own, behind a real front door.

Time stands still until the test moves it: the monotonic clock with `clock`, the time of day with `wall`. Sensors are
read once at the start and then only when something is put into a zone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from config.settings import Settings
from tests.fakes.clock import FakeClock
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, RunningGateway, backend, serving

#: Each draws what discriminates between the modes; none stands where some mode would put it first.
WATTS: Mapping[str, float | None] = {"cpu": 20, "npu": 4, "igpu": 12, "nvidia": 55}

#: So far up that no cap of a mode is beyond them.
HIGH_TRIPS = {"warning": 96, "critical": 97, "shutdown": 98}

COOL, WARM, CRITICAL = 40, 80, 86

#: No test lasts so long: sensors are read when a test wants it, and nothing is ever stale of itself.
SELDOM, NEVER = 3000, 3600


@dataclass
class Wall:
    """The clock on the wall of a test: noon, until it says otherwise."""

    now: datetime = field(default_factory=lambda: datetime(2026, 6, 1, 12, 0))  # noqa: DTZ001 (local time)

    def __call__(self) -> datetime:
        return self.now

    def turn(self, time_of_day: str) -> None:
        hour, minute = map(int, time_of_day.split(":"))
        self.now = self.now.replace(hour=hour, minute=minute)


@dataclass(frozen=True)
class House:
    """`servers` are the upstreams by backend id; zones are called as their backends."""

    gateway: RunningGateway
    servers: Mapping[str, OpenAiServer]
    clock: FakeClock
    wall: Wall

    async def put(self, zone: str, **values: Any) -> dict[str, Any]:
        """Let a zone measure that, from now on; the zone as it is described then."""
        response = await self.gateway.client.put(f"/admin/zones/{zone}", json=values)
        assert response.status_code == 200, response.text
        described: dict[str, Any] = response.json()
        return described

    async def put_everywhere(self, **values: Any) -> None:
        for zone in self.gateway.gateway.thermostat.zones:
            await self.put(zone, **values)

    async def pass_time(self, seconds: float) -> None:
        """Time goes by, and is noticed."""
        self.clock.advance(seconds)
        await self.put_everywhere()

    def tick(self) -> None:
        """Read every sensor and look at what it says, now, as the gateway does of itself a few times a second."""
        thermostat = self.gateway.gateway.thermostat
        for watched in thermostat.monitor.watched.values():
            for poller in watched.pollers:
                poller.read()
        thermostat.look(self.clock())

    async def zone(self, zone: str) -> dict[str, Any]:
        described: dict[str, Any] = (await self.gateway.get(f"/admin/zones/{zone}")).json()
        return described

    async def choose(self, mode: str) -> httpx.Response:
        return await self.gateway.client.put("/admin/mode", json={"mode": mode})

    async def mode(self) -> dict[str, Any]:
        described: dict[str, Any] = (await self.gateway.get("/admin/mode")).json()
        return described

    async def ask(self, path: str = CHAT, headers: Mapping[str, str] | None = None, **changes: Any) -> httpx.Response:
        return await self.gateway.post(path, headers=headers, **changes)

    async def used(self, path: str = CHAT, headers: Mapping[str, str] | None = None, **changes: Any) -> str:
        """Which backend answers."""
        response = await self.ask(path, headers, **changes)
        assert response.status_code == 200, response.text
        return response.headers["x-backend-used"]

    async def record(self, response: httpx.Response) -> dict[str, Any]:
        """The decision about that answer."""
        return await self.find(response.headers["x-request-id"])

    async def find(self, request_id: str) -> dict[str, Any]:
        found = await self.gateway.get(f"/admin/decisions/{request_id}")
        assert found.status_code == 200, found.text
        record: dict[str, Any] = found.json()
        return record


@asynccontextmanager
async def house(
    watts: Mapping[str, float | None] = WATTS,
    *,
    zone: Mapping[str, Any] | None = None,
    zones: Sequence[Mapping[str, Any]] | None = None,
    more: Mapping[str, Mapping[str, Any]] | None = None,
    models: Mapping[str, str] | None = None,
    settled: bool = True,
    **sections: Any,
) -> AsyncIterator[House]:
    """`watts` names the backends, each called as its hardware; `more` is what else is set for one of them,
    `models` which model it has.

    `zone` is what is set for every zone; `zones` are others in place of the simulated ones. `sections` are those of the
    configuration.
    """
    more = more or {}
    async with AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(OpenAiServer()) for name in watts}
        for name, model in (models or {}).items():
            servers[name].model = model
        if zones is None:
            zones = [simulated(name, **(zone or {})) for name in watts]
        known = {each["id"] for each in zones}
        told = [
            {**backend("openai", server, id=name, hardware=name, watts=watts[name], api_key=None), **more.get(name, {})}
            for name, server in servers.items()
        ]
        told = [{"zone": each["id"], **each} if each["id"] in known else each for each in told]
        server = {"port": 0, **sections.pop("server", {})}
        settings = Settings(server=server, backends=told, zones=zones, **sections)
        clock, wall = FakeClock(), Wall()
        serve = serving(settings, settled=settled, clock=clock, local_time=wall)
        yield House(await stack.enter_async_context(serve), servers, clock, wall)


def simulated(name: str, **more: Any) -> dict[str, Any]:
    """A cool and quiet zone that is whatever a test puts into it."""
    sensor = {"kind": "simulated", "celsius": COOL, "fan_percent": 20, "busy_seconds": SELDOM, "idle_seconds": SELDOM}
    return {"id": name, "sensor": sensor, "stale_after_seconds": NEVER, **more}
