"""GET and PUT /admin/mode."""

from __future__ import annotations

from typing import Any

import pytest

from app.routing.modes import MODES
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, RunningGateway, backend, error_of, running

pytestmark = pytest.mark.anyio

SIMULATED = {"id": "gpu", "sensor": {"kind": "simulated", "celsius": 40}}
NEVER_QUIET = {"auto": {"quiet_hours": None}}
KEYS = {
    "admin_keys": [{"name": "boss", "key": "sk-boss-secret"}],
    "api_keys": [{"name": "ada", "key": "sk-ada-secret"}],
}


async def get(gateway: RunningGateway) -> dict[str, Any]:
    told: dict[str, Any] = (await gateway.get("/admin/mode")).json()
    return told


async def choose(gateway: RunningGateway, mode: str) -> dict[str, Any]:
    response = await gateway.client.put("/admin/mode", json={"mode": mode})
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def test_the_mode_is_told_with_all_that_there_are() -> None:
    async with running() as gateway:
        told = await get(gateway)

    assert (told["mode"], told["in_force"], told["why"]) == ("balanced", "balanced", "it was chosen")
    assert told["watts_left"] is None
    assert [mode["name"] for mode in told["modes"]] == list(MODES)
    assert told["modes"][3] == {
        "name": "quiet",
        "order": ["npu", "igpu"],
        "max_watts": 15,
        "max_fan_percent": 40,
        "max_celsius": 70,
    }
    assert told["modes"][0]["max_watts"] is None


async def test_modes_are_told_as_they_are_configured() -> None:
    async with running(routing={"mode": "quiet", "modes": {"quiet": {"max_watts": None}}}) as gateway:
        told = await get(gateway)

    assert told["in_force"] == "quiet"
    assert told["modes"][3]["max_watts"] is None


@pytest.mark.parametrize("mode", MODES)
async def test_every_mode_can_be_chosen(mode: str) -> None:
    async with running() as gateway:
        told = await choose(gateway, mode)

        assert (told["mode"], told["in_force"]) == (mode, mode)
        assert await get(gateway) == told


async def test_auto_is_told_with_the_mode_that_it_stands_for_and_why() -> None:
    async with running(zones=[SIMULATED], routing=NEVER_QUIET) as gateway:
        told = await choose(gateway, "auto")
        assert (told["mode"], told["in_force"], told["why"]) == ("auto", "performance", "nothing asks for less")

        await gateway.client.put("/admin/zones/gpu", json={"celsius": 80})
        told = await get(gateway)
        assert (told["in_force"], told["why"]) == ("efficiency", "zone 'gpu' reached 80.0 °C, over 75")


async def test_the_next_request_is_decided_by_it() -> None:
    async with OpenAiServer() as first, OpenAiServer() as second:
        told = (backend("openai", first, id="card", hardware="nvidia"), backend("openai", second, hardware="npu"))
        async with running(*told) as gateway:
            used = {}
            for mode in ("performance", "ultra-efficiency", "performance"):
                await choose(gateway, mode)
                used[mode] = (await gateway.post(CHAT)).headers["x-backend-used"]

    assert used == {"performance": "card", "ultra-efficiency": "box"}


async def test_what_is_left_of_the_budget_is_told() -> None:
    async with running(zones=[SIMULATED], routing={"max_watts": 100}) as gateway:
        await gateway.client.put("/admin/zones/gpu", json={"watts": 37.25})

        assert (await get(gateway))["watts_left"] == 62.8


@pytest.mark.parametrize("mode", ["fast", "", "Quiet", "BALANCED"])
async def test_a_mode_that_is_none_is_refused_with_those_that_there_are(mode: str) -> None:
    async with running() as gateway:
        error = error_of(await gateway.client.put("/admin/mode", json={"mode": mode}), 400)

        assert (error["param"], error["code"]) == ("mode", "invalid_value")
        assert all(name in error["message"] for name in (*MODES, "auto"))
        assert (await get(gateway))["mode"] == "balanced"


@pytest.mark.parametrize("body", [{}, {"mode": None}, {"mode": 3}, {"mod": "quiet"}, [], None], ids=repr)
async def test_what_names_no_mode_is_refused(body: Any) -> None:
    async with running() as gateway:
        error_of(await gateway.client.put("/admin/mode", json=body), 400)

        assert (await get(gateway))["mode"] == "balanced"


async def test_only_an_operator_may_look_and_choose() -> None:
    async with running(server=KEYS) as gateway:
        for key, status in (("", 401), ("Bearer sk-ada-secret", 403), ("Bearer sk-boss-secret", 200)):
            headers = {"authorization": key} if key else {}
            answers = [
                await gateway.client.get("/admin/mode", headers=headers),
                await gateway.client.put("/admin/mode", json={"mode": "quiet"}, headers=headers),
            ]
            assert [answer.status_code for answer in answers] == [status] * 2
