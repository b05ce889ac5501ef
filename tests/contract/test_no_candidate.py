"""Limits that exclude every backend: `on_no_candidate` says whether they give way or the request is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.house import WATTS, house
from tests.routers.running import CHAT, COMPLETE, EMBED, error_of

pytestmark = pytest.mark.anyio

#: By name: the mode, what every zone measures, headers; who is least beyond the limit, and which limit is named.
EXCLUDED: dict[str, tuple[str, dict[str, Any], dict[str, str], str, str]] = {
    "the mode's hardware and watts": (
        "ultra-efficiency",
        {"fan_percent": 31},
        {},
        "npu",
        "mode ultra-efficiency allows 30 % fan, zone 'npu' has 31",
    ),
    "the mode's fan": ("balanced", {"fan_percent": 81}, {}, "igpu", "mode balanced allows 80 % fan"),
    "the mode's degrees": ("efficiency", {"celsius": 76}, {}, "npu", "mode efficiency allows 75 "),
    "the request's watts": (
        "balanced",
        {},
        {"X-Max-Power-Watts": "3"},
        "npu",
        "the request allows 3 W, it draws 4",
    ),
}


@pytest.mark.parametrize(("mode", "values", "headers", "used", "named"), list(EXCLUDED.values()), ids=list(EXCLUDED))
async def test_limits_that_leave_nothing_give_way_and_are_named(
    mode: str, values: dict[str, Any], headers: dict[str, str], used: str, named: str
) -> None:
    async with house(routing={"mode": mode}) as home:
        await home.put_everywhere(**values)
        response = await home.ask(headers=headers)

        assert response.status_code == 200
        assert response.headers["x-backend-used"] == used
        reason = response.headers["x-routing-reason"]
        assert "gave way, nothing else is left" in reason
        assert named in reason
        assert (await home.record(response))["relaxed"] == ("request" if headers else "mode")


@pytest.mark.parametrize(("mode", "values", "headers", "used", "named"), list(EXCLUDED.values()), ids=list(EXCLUDED))
async def test_limits_that_leave_nothing_are_named_by_the_refusal(
    mode: str, values: dict[str, Any], headers: dict[str, str], used: str, named: str
) -> None:
    async with house(routing={"mode": mode, "on_no_candidate": "reject"}) as home:
        await home.put_everywhere(**values)
        response = await home.ask(headers=headers)

        error = error_of(response, 503)
        assert named in error["message"]
        assert error["type"] == "service_unavailable_error"
        assert int(response.headers["retry-after"]) >= 1
        record = await home.record(response)
        assert (record["outcome"], record["routes"]) == ("failed", [])
        assert {route["backend"] for route in record["rejected"]} == set(WATTS)


@pytest.mark.parametrize("path", [CHAT, COMPLETE, EMBED])
async def test_giving_way_is_the_default_at_every_door(path: str) -> None:
    async with house({"nvidia": 55}) as home:
        await home.choose("ultra-efficiency")

        assert await home.used(path) == "nvidia"


async def test_the_one_that_is_least_beyond_the_limit_is_taken() -> None:
    async with house({"nvidia": 55, "igpu": 30, "npu": 90}, routing={"mode": "efficiency"}) as home:
        assert await home.used() == "igpu"


async def test_the_requests_limits_give_way_before_the_modes() -> None:
    async with house(routing={"mode": "quiet"}) as home:
        assert await home.used(headers={"X-Target-Backend": "cpu"}) == "npu"
        assert await home.used(headers={"X-Max-Power-Watts": "2"}) == "npu"


async def test_the_decisions_record_tells_every_limit() -> None:
    async with house(routing={"mode": "ultra-efficiency", "on_no_candidate": "reject"}) as home:
        await home.put("npu", celsius=66, fan_percent=31)
        record = await home.record(await home.ask())

    reasons = {route["backend"]: route["verdicts"][-1]["reason"] for route in record["rejected"]}
    assert reasons == {
        "cpu": "mode ultra-efficiency uses no cpu, allows 5 W, it draws 20",
        "npu": "mode ultra-efficiency allows 30 % fan, zone 'npu' has 31, allows 65 °C, zone 'npu' has 66.0",
        "igpu": "mode ultra-efficiency uses no igpu, allows 5 W, it draws 12",
        "nvidia": "mode ultra-efficiency uses no nvidia, allows 5 W, it draws 55",
    }
