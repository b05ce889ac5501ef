"""Sensors that fail, hang or say nonsense: no request notices, the zone is unknown, and the log says so once."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.thermal.sensor import SensorLostError
from tests.contract.house import WATTS, House, house
from tests.fakes.sensor import KIND, ScriptedSensor
from tests.routers.running import CHAT, COMPLETE, EMBED, until

pytestmark = pytest.mark.anyio

STUCK = {"kind": "tests.contract.sensors:StuckSensor"}
NORMAL_SECONDS = 5.0


def prints(text: str) -> dict[str, Any]:
    return {"kind": "command", "command": [sys.executable, "-c", f"print({text!r})"]}


#: By name: a sensor that is of no use.
USELESS: dict[str, dict[str, Any]] = {
    "a program that fails": {"kind": "command", "command": ["false"]},
    "a program that is not there": {"kind": "command", "command": ["no-such-program-anywhere"]},
    "a program that hangs for 30 s": {"kind": "command", "command": ["sleep", "30"], "timeout_seconds": 0.2},
    "a program that says nothing": {"kind": "command", "command": ["true"]},
    "a program that says something else": prints("I am fine"),
    "a program that says no number": prints('{"celsius": "hot"}'),
    "a program that says NaN": prints('{"celsius": NaN}'),
    "a program that says a million degrees": prints('{"celsius": 1000000}'),
    "a program that says what nobody asked": prints('{"kelvin": 310}'),
    "a program that says null": prints('{"celsius": null}'),
    "a chip that is not there": {"kind": "hwmon", "chip": "no-such-chip"},
    "a server that is not there": {"kind": "prometheus", "url": "http://127.0.0.1:9/metrics"},
    "a kind that hangs for ever": STUCK,
}


@asynccontextmanager
async def watched_by(sensor: dict[str, Any], **zone: Any) -> AsyncIterator[House]:
    """Every zone has such a sensor. Sensors that hang are let go at the end."""
    zones = [{"id": name, "sensor": {**sensor}, **zone} for name in WATTS]
    async with house(zones=zones, settled=False) as home:
        for name in WATTS:
            await home.gateway.until_health(name, "closed")
        try:
            yield home
        finally:
            for each in _sensors(home):
                each.gate.set()


def _sensors(home: House) -> list[ScriptedSensor]:
    pollers = [poller for zone in home.gateway.gateway.thermostat.monitor.watched.values() for poller in zone.pollers]
    return [poller.sensor for poller in pollers if isinstance(poller.sensor, ScriptedSensor)]


@pytest.mark.parametrize("sensor", list(USELESS.values()), ids=list(USELESS))
async def test_requests_go_on_unharmed_whatever_is_wrong_with_the_sensors(sensor: dict[str, Any]) -> None:
    async with watched_by(sensor) as home, asyncio.timeout(NORMAL_SECONDS):
        used = [await home.used(path) for path in (CHAT, COMPLETE, EMBED)]
        states = {name: (await home.zone(name))["state"] for name in WATTS}
        celsius = {(await home.zone(name))["celsius"] for name in WATTS}

    assert used == ["igpu"] * 3
    assert states == dict.fromkeys(WATTS, "unknown")
    assert celsius == {None}


async def test_the_gateway_starts_and_stops_while_sensors_hang() -> None:
    async with asyncio.timeout(NORMAL_SECONDS):
        async with watched_by(STUCK) as home:
            response = await home.gateway.get("/health/live")

    assert response.status_code == 200


@pytest.mark.parametrize(
    "error", [SensorLostError("it fell off"), RuntimeError("a bug"), OSError("no such device")], ids=repr
)
async def test_a_sensor_that_is_lost_and_found_says_each_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app.thermal")

    async with scripted() as (home, sensor):
        sensor.says = error
        for _ in range(14):
            home.tick()
            home.clock.advance(1)
        remembered = await home.zone("igpu")
        home.clock.advance(2)
        home.tick()
        unknown = await home.zone("igpu")
        used = await home.used()
        sensor.says = {"celsius": 91.0}
        home.tick()
        back = await home.zone("igpu")

    lines = [line for line in caplog.messages if "sensor" in line]
    assert (remembered["state"], remembered["celsius"]) == ("nominal", 50)
    assert (unknown["state"], unknown["celsius"], unknown["fan_percent"]) == ("unknown", None, None)
    assert used == "igpu"
    assert (back["state"], back["celsius"]) == ("critical", 91)
    assert len(lines) == 2
    assert lines[0].startswith(f"zone igpu: its sensor {KIND} is lost: ")
    assert lines[1] == f"zone igpu: its sensor {KIND} is back"


async def test_a_sensor_that_begins_to_hang_is_unknown_as_soon_as_its_last_word_is_stale(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "app.thermal")
    async with scripted(every_seconds=0.01, unknown="avoid") as (home, sensor), asyncio.timeout(NORMAL_SECONDS):
        used = [await home.used()]
        sensor.gate.clear()
        await asyncio.to_thread(sensor.until_begun, sensor.reads + 1)
        home.clock.advance(16)
        await _until_state(home, "unknown")
        used.append(await home.used())
        sensor.gate.set()
        await _until_state(home, "nominal")
        used.append(await home.used())

    lines = [line for line in caplog.messages if "sensor" in line]
    assert used == ["igpu", "nvidia", "igpu"]
    assert [line.rpartition("sensor ")[2] for line in lines] == [
        f"{KIND} is lost: it has said nothing for more than 15 s",
        f"{KIND} is back",
    ]


@pytest.mark.parametrize("celsius", [float("nan"), float("inf"), -273.0, 4000.0])
async def test_degrees_that_can_not_be_are_no_reading_and_once_the_last_one_is_stale_the_zone_is_unknown(
    celsius: float,
) -> None:
    async with scripted() as (home, sensor):
        sensor.says = {"celsius": celsius}
        home.tick()
        zone = await home.zone("igpu")
        assert zone["sensors"][0]["lost"].startswith("it says nonsense")

        home.clock.advance(16)
        home.tick()
        zone = await home.zone("igpu")
        assert (zone["state"], zone["celsius"]) == ("unknown", None)
        assert await home.used() == "igpu"


async def test_a_zone_without_a_sensor_is_unknown_and_used() -> None:
    async with house(zones=[{"id": "igpu"}]) as home:
        zone = await home.zone("igpu")

        assert (zone["state"], zone["celsius"], zone["sensors"]) == ("unknown", None, [])
        assert await home.used() == "igpu"


async def test_a_zone_that_is_measured_can_not_be_set() -> None:
    async with scripted() as (home, _):
        response = await home.gateway.client.put("/admin/zones/igpu", json={"celsius": 91})

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "zone_not_settable"


@asynccontextmanager
async def scripted(every_seconds: float = 14, **zone: Any) -> AsyncIterator[tuple[House, ScriptedSensor]]:
    sensor = {"kind": KIND, "busy_seconds": every_seconds, "idle_seconds": every_seconds}
    async with house(zones=[{"id": "igpu", "sensor": sensor, **zone}]) as home:
        (found,) = _sensors(home)
        try:
            yield home, found
        finally:
            found.gate.set()


async def _until_state(home: House, state: str) -> None:
    async def is_so() -> bool:
        return bool((await home.zone("igpu"))["state"] == state)

    await until(is_so)
