"""The contract's thermal defaults: states and trip points, who gets new work, fans, throttling, sleeping cards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.house import COOL, CRITICAL, House, house
from tests.fakes.answers import Stream
from tests.routers.running import CHAT, Streamed, error_of

pytestmark = pytest.mark.anyio

#: Two that are as good as each other, so that nothing but heat and noise tells them apart.
TWINS: dict[str, float | None] = {"igpu": 12, "cpu": 12}
ALIKE = {"cpu": {"hardware": "igpu"}}


async def test_a_zone_is_told_with_the_default_trip_points() -> None:
    async with house() as home:
        trips = (await home.zone("npu"))["trips"]

    assert (trips["warning"], trips["critical"], trips["shutdown"]) == (70, 85, 95)


@pytest.mark.parametrize(
    ("celsius", "state"),
    [
        (69.9, "nominal"),
        (70, "warning"),
        (84.9, "warning"),
        (85, "critical"),
        (94.9, "critical"),
        (95, "shutdown"),
    ],
)
async def test_a_zones_state_follows_its_degrees(celsius: float, state: str) -> None:
    async with house() as home:
        assert (await home.put("igpu", celsius=celsius))["state"] == state


@pytest.mark.parametrize(
    ("percent", "noise"), [(0, "silent"), (30, "quiet"), (31, "moderate"), (84, "moderate"), (85, "loud")]
)
async def test_a_fan_is_as_loud_as_the_contract_says(percent: float, noise: str) -> None:
    async with house() as home:
        assert (await home.put("igpu", fan_percent=percent))["noise"] == noise


@pytest.mark.parametrize("celsius", [85, 96], ids=["critical", "shutdown"])
async def test_a_critical_zone_gets_no_new_work(celsius: float) -> None:
    async with house() as home:
        await home.put("igpu", celsius=celsius)

        assert await home.used() == "nvidia"


async def test_work_that_runs_in_a_zone_that_becomes_critical_goes_on() -> None:
    async with house() as home:
        server, gate = home.servers["igpu"], asyncio.Event()
        server.script = lambda request: Stream([*server.pieces(request)[:2], gate, *server.pieces(request)[2:]])
        async with home.gateway.opened(CHAT) as response:
            await home.put("igpu", celsius=CRITICAL)
            gate.set()
            await response.aread()

    assert response.headers["x-backend-used"] == "igpu"
    assert Streamed(response).text == "".join(server.words)


async def test_work_comes_back_ten_seconds_after_it_became_critical_at_the_earliest() -> None:
    async with house() as home:
        await home.put("igpu", celsius=CRITICAL)
        home.clock.advance(9)
        states = [(await home.put("igpu", celsius=COOL))["state"]]
        used = [await home.used()]
        await home.pass_time(1)
        states.append((await home.zone("igpu"))["state"])
        used.append(await home.used())

    assert states == ["critical", "nominal"]
    assert used == ["nvidia", "igpu"]


async def test_work_comes_back_at_once_where_no_dwell_is_configured() -> None:
    async with house(zone={"dwell_seconds": 0}) as home:
        await home.put("igpu", celsius=CRITICAL)
        assert await home.used() == "nvidia"
        await home.put("igpu", celsius=COOL)

        assert await home.used() == "igpu"


async def test_a_state_is_left_five_degrees_under_its_trip_point() -> None:
    async with house(zone={"dwell_seconds": 0}) as home:
        states = [(await home.put("igpu", celsius=celsius))["state"] for celsius in (86, 80.5, 79.5, 65.5, 64.5)]

    assert states == ["critical", "critical", "warning", "warning", "nominal"]


async def test_when_all_zones_are_critical_the_caller_is_told_when_to_come_back() -> None:
    async with house() as home:
        await home.put_everywhere(celsius=CRITICAL)
        response = await home.ask()
        streamed = await home.ask(stream=True)

    message = error_of(response, 503)["message"]
    assert all(f"zone '{zone}' is critical: 86.0 °C, 1.0 above critical" in message for zone in home.servers)
    assert response.headers["retry-after"] == streamed.headers["retry-after"] == "10"
    assert streamed.status_code == 503


async def test_what_a_warm_zone_costs_grows_with_the_square_of_its_distance_from_warning() -> None:
    penalties = {}
    async with house() as home:
        for celsius in (75, 80, 82.5):
            await home.put("npu", celsius=celsius)
            routes = (await home.record(await home.ask()))["routes"]
            (npu,) = (route for route in routes if route["backend"] == "npu")
            (verdict,) = (verdict for verdict in npu["verdicts"] if verdict["rule"] == "keep-cool")
            penalties[celsius] = verdict["penalty"]

    assert penalties[80] == pytest.approx(4 * penalties[75])
    assert penalties[82.5] == pytest.approx(6.25 * penalties[75])


@pytest.mark.parametrize(
    ("celsius", "used"), [(69, "igpu"), (72, "igpu"), (75, "igpu"), (78, "nvidia"), (84, "nvidia")]
)
async def test_a_warm_zone_keeps_work_that_is_much_better_done_there(celsius: float, used: str) -> None:
    async with house() as home:
        await home.put("igpu", celsius=celsius)

        assert await home.used() == used


@pytest.mark.parametrize("celsius", [70, 75, 84])
async def test_a_warm_zone_loses_work_to_one_that_is_about_as_good(celsius: float) -> None:
    async with house(TWINS, more=ALIKE) as home:
        used = [await home.used()]
        await home.put("igpu", celsius=celsius)
        used.append(await home.used())

    assert used == ["igpu", "cpu"]


@pytest.mark.parametrize("percent", [61, 75])
async def test_a_loud_fan_loses_work_to_one_that_is_about_as_good(percent: float) -> None:
    async with house(TWINS, more=ALIKE) as home:
        await home.put("igpu", fan_percent=percent)

        assert await home.used() == "cpu"


async def test_a_throttling_zone_is_critical_however_cool_it_seems() -> None:
    async with house() as home:
        zone = await home.put("igpu", celsius=COOL, throttling=True)
        response = await home.ask()
        rejected = (await home.record(response))["rejected"]

    assert (zone["state"], zone["throttling"]) == ("critical", True)
    assert response.headers["x-backend-used"] == "nvidia"
    assert "slowed down by heat" in rejected[0]["verdicts"][-1]["reason"]


async def test_a_zone_has_its_own_trip_points() -> None:
    trips = {"warning": 50, "critical": 55, "shutdown": 60}
    async with house(zone={"trips": trips}) as home:
        await home.put("igpu", celsius=56)

        assert await home.used() == "nvidia"


class Card:
    """A graphics card in a sysfs of its own, asleep: whoever opens its thermometer hangs for ever."""

    def __init__(self, root: Path) -> None:
        files = root / "class" / "hwmon" / "hwmon0"
        self._status = files / "device" / "power" / "runtime_status"
        self._thermometer = files / "temp1_input"
        self._status.parent.mkdir(parents=True)
        self._status.write_text("suspended\n")
        (files / "name").write_text("amdgpu\n")
        os.mkfifo(self._thermometer)

    def wake(self, milli: int) -> None:
        self._thermometer.unlink()
        self._thermometer.write_text(f"{milli}\n")
        self._status.write_text("active\n")

    def sleep(self) -> None:
        self._status.write_text("suspended\n")


@asynccontextmanager
async def with_card(root: Path) -> AsyncIterator[House]:
    sensor = {"kind": "hwmon", "chip": "amdgpu", "root": str(root)}
    async with house({"nvidia": 55, "cpu": 20}, zones=[{"id": "nvidia", "sensor": sensor, "dwell_seconds": 0}]) as home:
        yield home


async def test_a_card_that_sleeps_is_not_woken_to_read_its_temperature(tmp_path: Path) -> None:
    Card(tmp_path)
    async with with_card(tmp_path) as home:
        zone = await home.zone("nvidia")

        assert (zone["asleep"], zone["celsius"], zone["state"]) == (True, None, "nominal")
        assert zone["sensors"] == [{"kind": "hwmon", "lost": None}]
        assert await home.used() == "nvidia"


async def test_a_card_that_has_woken_up_is_measured_and_left_alone_when_it_sleeps_again(tmp_path: Path) -> None:
    card = Card(tmp_path)
    async with with_card(tmp_path) as home:
        card.wake(91_000)
        home.tick()
        used = [await home.used()]
        card.sleep()
        home.tick()
        used.append(await home.used())

    assert used == ["cpu", "nvidia"]


def _failing(unknown: str) -> dict[str, Any]:
    return {"id": "igpu", "sensor": {"kind": "command", "command": ["false"]}, "unknown": unknown}


@pytest.mark.parametrize(("unknown", "used"), [("allow", "igpu"), ("avoid", "nvidia")])
async def test_a_zone_that_nobody_can_measure_is_used_or_avoided_as_configured(unknown: str, used: str) -> None:
    async with house(zones=[_failing(unknown)]) as home:
        zone = await home.zone("igpu")

        assert (zone["state"], zone["celsius"]) == ("unknown", None)
        assert await home.used() == used


async def test_a_zone_that_is_avoided_is_better_than_none() -> None:
    async with house({"igpu": 12}, zones=[_failing("avoid")]) as home:
        assert await home.used() == "igpu"
