"""GET /admin/zones, and PUT /admin/zones/{id} for simulated ones."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from app.thermal.sensor import SensorLostError
from tests.fakes.openai_server import OpenAiServer
from tests.fakes.sensor import KIND, ScriptedSensor
from tests.routers.running import CHAT, RunningGateway, backend, error_of, running, until

pytestmark = pytest.mark.anyio

SIMULATED = {"id": "gpu", "sensor": {"kind": "simulated", "celsius": 40}}
BOSS = {
    "admin_keys": [{"name": "boss", "key": "sk-boss-secret"}],
    "api_keys": [{"name": "ada", "key": "sk-ada-secret"}],
}


def measured(name: str = "soc", **says: Any) -> dict[str, Any]:
    return {"id": name, "sensor": {"kind": KIND, "says": says or {"celsius": 50.0}}}


async def put(gateway: RunningGateway, name: str = "gpu", **values: Any) -> httpx.Response:
    return await gateway.client.put(f"/admin/zones/{name}", json=values)


async def set_to(gateway: RunningGateway, name: str = "gpu", **values: Any) -> dict[str, Any]:
    response = await put(gateway, name, **values)
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def get(gateway: RunningGateway, name: str = "gpu") -> dict[str, Any]:
    told: dict[str, Any] = (await gateway.get(f"/admin/zones/{name}")).json()
    return told


def sensor_of(gateway: RunningGateway, name: str) -> ScriptedSensor:
    sensor = gateway.gateway.thermostat.monitor.watched[name].pollers[0].sensor
    assert isinstance(sensor, ScriptedSensor)
    return sensor


async def test_every_zone_is_told_in_the_order_of_the_configuration() -> None:
    async with running(zones=[measured("soc"), SIMULATED, {"id": "none"}]) as gateway:
        answer = (await gateway.get("/admin/zones")).json()

    assert answer["object"] == "list"
    assert [(zone["id"], zone["state"]) for zone in answer["data"]] == [
        ("soc", "nominal"),
        ("gpu", "nominal"),
        ("none", "unknown"),
    ]


async def test_a_zone_is_told_with_all_that_was_measured() -> None:
    says = {
        "celsius": 71.234,
        "watts": 55.5,
        "joules": 1000.126,
        "fan_percent": 90.0,
        "fan_rpm": 2100.0,
        "utilisation": 0.5,
        "megahertz": 1800.0,
        "memory_used_bytes": 123,
        "memory_total_bytes": 456,
        "throttling": False,
    }
    async with OpenAiServer() as server:
        zones = [{**measured("gpu", **says), "trips": {"warning": 70, "critical": 80}, "unknown": "avoid"}]
        async with running(backend("openai", server, zone="gpu"), zones=zones) as gateway:
            told = await get(gateway)

    age, seconds, history = told.pop("age_seconds"), told.pop("seconds_in_state"), told.pop("history")
    assert told == {
        "id": "gpu",
        "state": "warning",
        **says,
        "celsius": 71.23,
        "joules": 1000.13,
        "noise": "loud",
        "battery": None,
        "modelled": False,
        "asleep": False,
        "headroom_celsius": 8.77,
        "headroom_celsius_in_60_seconds": 8.77,
        "seconds_until_critical": None,
        "trips": {"warning": 70, "critical": 80, "shutdown": 95, "hysteresis": 5},
        "unknown": "avoid",
        "sensors": [{"kind": KIND, "lost": None}],
        "backends": ["box"],
        "settable": False,
        "held": None,
    }
    assert 0 <= age < 5
    assert 0 <= seconds < 5
    assert [celsius for _, celsius in history] == [71.23]


async def test_what_nobody_knows_is_null_and_never_zero() -> None:
    async with running(zones=[{"id": "gpu"}]) as gateway:
        told = await get(gateway)

    for name in (
        "celsius",
        "watts",
        "joules",
        "fan_percent",
        "noise",
        "throttling",
        "battery",
        "age_seconds",
        "modelled",
    ):
        assert told[name] is None, name
    assert (told["headroom_celsius"], told["seconds_until_critical"]) == (None, None)
    assert (told["sensors"], told["backends"]) == ([], [])


async def test_a_sensor_that_is_lost_is_told_with_its_reason() -> None:
    async with running(zones=[measured("gpu")]) as gateway:
        sensor_of(gateway, "gpu").says = SensorLostError("the device is gone")
        poller = gateway.gateway.thermostat.monitor.watched["gpu"].pollers[0]
        await asyncio.to_thread(poller.read)

        async def is_told() -> bool:
            return bool((await get(gateway))["sensors"] == [{"kind": KIND, "lost": "the device is gone"}])

        await until(is_told)


async def test_the_recent_past_is_told_when_it_is_asked_for() -> None:
    async with running(zones=[SIMULATED]) as gateway:
        without = (await gateway.get("/admin/zones")).json()["data"][0]
        with_it = (await gateway.get("/admin/zones?history=true")).json()["data"][0]

    assert "history" not in without
    assert with_it["history"]
    assert with_it["history"][0][1] == 40


async def test_a_simulated_zone_stays_as_hot_as_it_is_told_until_it_is_let_go() -> None:
    async with running(zones=[SIMULATED]) as gateway:
        hot = await set_to(gateway, celsius=91)
        assert (hot["celsius"], hot["state"], hot["held"], hot["settable"]) == (91, "critical", {"celsius": 91}, True)
        assert (await get(gateway))["celsius"] == 91

        let_go = await set_to(gateway, celsius=None)
        assert (let_go["celsius"], let_go["held"]) == (40, None)


async def test_everything_that_can_be_held_is_held() -> None:
    async with running(zones=[SIMULATED]) as gateway:
        told = await set_to(gateway, watts=99, fan_percent=88, throttling=True, battery_percent=12, plugged=False)

    assert (told["watts"], told["fan_percent"], told["noise"], told["throttling"]) == (99, 88, "loud", True)
    assert told["battery"] == {"percent": 12, "plugged": False, "watts": None}
    assert told["state"] == "critical"


async def test_what_is_left_out_stays_as_it_is() -> None:
    async with running(zones=[SIMULATED]) as gateway:
        await set_to(gateway, celsius=60, fan_percent=20)
        told = await set_to(gateway, celsius=65)
        assert told["held"] == {"celsius": 65, "fan_percent": 20}

        assert (await set_to(gateway))["held"] == {"celsius": 65, "fan_percent": 20}


async def test_new_work_leaves_a_zone_that_was_set_to_critical_at_once() -> None:
    async with OpenAiServer() as hot, OpenAiServer() as cool:
        backends = (backend("openai", hot, zone="gpu"), backend("openai", cool, id="other", tier=5))
        async with running(*backends, zones=[{**SIMULATED, "dwell_seconds": 0}]) as gateway:
            used = [(await gateway.post(CHAT)).headers["x-backend-used"]]
            for celsius in (91, 40):
                await set_to(gateway, celsius=celsius)
                used.append((await gateway.post(CHAT)).headers["x-backend-used"])

    assert used == ["box", "other", "box"]


async def test_a_measured_zone_can_not_be_set() -> None:
    async with running(zones=[measured("soc")]) as gateway:
        error = error_of(await put(gateway, "soc", celsius=91), 400)

        assert (error["param"], error["code"]) == ("zone", "zone_not_settable")
        assert (await get(gateway, "soc"))["celsius"] == 50


async def test_a_zone_that_is_not_there_is_told() -> None:
    async with running(zones=[SIMULATED]) as gateway:
        for response in (await gateway.get("/admin/zones/nothing"), await put(gateway, "nothing", celsius=91)):
            assert error_of(response, 404)["code"] == "zone_not_found"


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"celsius": 151}, "celsius"),
        ({"celsius": -41}, "celsius"),
        ({"celsius": "hot"}, "celsius"),
        ({"fan_percent": 101}, "fan_percent"),
        ({"watts": -1}, "watts"),
        ({"battery_percent": -1}, "battery_percent"),
        ({"temperature": 91}, "temperature"),
    ],
    ids=str,
)
async def test_what_no_zone_could_be_is_refused_with_its_name(values: dict[str, Any], param: str) -> None:
    async with running(zones=[SIMULATED]) as gateway:
        error = error_of(await put(gateway, **values), 400)

        assert error["param"] == param
        assert (await get(gateway))["celsius"] == 40


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"celsius": NaN}', b'{"celsius": 1e999}'], ids=repr)
async def test_what_is_no_object_is_refused(body: bytes) -> None:
    async with running(zones=[SIMULATED]) as gateway:
        headers = {"content-type": "application/json"}
        response = await gateway.client.put("/admin/zones/gpu", content=body, headers=headers)

        error_of(response, 400)
        assert (await get(gateway))["celsius"] == 40


async def test_only_an_operator_may_look_and_set() -> None:
    async with running(zones=[SIMULATED], server=BOSS) as gateway:
        for key, status in (("", 401), ("Bearer sk-ada-secret", 403), ("Bearer sk-boss-secret", 200)):
            headers = {"authorization": key} if key else {}
            answers = [
                await gateway.client.get("/admin/zones", headers=headers),
                await gateway.client.get("/admin/zones/gpu", headers=headers),
                await gateway.client.put("/admin/zones/gpu", json={"celsius": 50}, headers=headers),
            ]
            assert [answer.status_code for answer in answers] == [status] * 3
