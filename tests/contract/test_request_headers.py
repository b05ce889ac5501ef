"""Every request header of the contract: what it does, at each door, and what is said of one that makes no sense."""

from __future__ import annotations

import pytest

from tests.contract.house import CRITICAL, WATTS, house
from tests.routers.running import CHAT, COMPLETE, EMBED, error_of

pytestmark = pytest.mark.anyio

DOORS = [CHAT, COMPLETE, EMBED]

#: header: value, the mode, and who is used because of it; without it another one would be
STEERS = {
    "X-Target-Backend": ("cpu", "balanced", "cpu"),
    "X-Latency-Critical": ("true", "efficiency", "igpu"),
    "X-Power-Efficient": ("true", "balanced", "npu"),
    "X-Max-Power-Watts": ("10", "balanced", "npu"),
    "X-Media-Type": ("code", "balanced", "nvidia"),
}
PRIORITIES = ("best-effort", "normal", "high", "critical")

#: header: values that make no sense
SENSELESS = {
    "X-Target-Backend": ("", "nobody", "cpu,npu"),
    "X-Latency-Critical": ("maybe", "2"),
    "X-Power-Efficient": ("perhaps", "-1"),
    "X-Max-Latency-Ms": ("soon", "0", "-5", "nan", "inf", ""),
    "X-Max-Power-Watts": ("few", "0", "-5", "nan", "1e999"),
    "X-Media-Type": ("video", "image/png", ""),
    "X-Priority": ("urgent", "5", ""),
    "X-Request-ID": ("a b", "x" * 129, "{}"),
}


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize(("header", "told"), list(STEERS.items()), ids=list(STEERS))
async def test_a_header_steers_the_choice_at_every_door(header: str, told: tuple[str, str, str], path: str) -> None:
    value, mode, used = told
    async with house(routing={"mode": mode}) as home:
        assert await home.used(path, {header: value}) == used
        assert await home.used(path) != used


@pytest.mark.parametrize("value", ["true", "1", "yes", "on", "True"])
async def test_a_flag_is_raised_by_any_of_the_usual_words(value: str) -> None:
    async with house() as home:
        assert await home.used(headers={"X-Power-Efficient": value}) == "npu"


@pytest.mark.parametrize("value", ["false", "0", "no", "off", ""])
async def test_a_flag_is_lowered_by_any_of_the_usual_words(value: str) -> None:
    async with house() as home:
        assert await home.used(headers={"X-Power-Efficient": value}) == "igpu"


@pytest.mark.parametrize("watts", [55, 20, 12, 4])
async def test_nothing_is_used_that_draws_more_than_the_request_allows(watts: float) -> None:
    used = []
    async with house(routing={"mode": "performance", "on_no_candidate": "reject"}) as home:
        while (response := await home.ask(headers={"X-Max-Power-Watts": str(watts)})).status_code == 200:
            used.append(response.headers["x-backend-used"])
            await home.put(used[-1], celsius=CRITICAL)

    assert set(used) == {name for name, draws in WATTS.items() if draws is not None and draws <= watts}


async def test_a_latency_that_nobody_knows_yet_excludes_nothing() -> None:
    async with house(routing={"on_no_candidate": "reject"}) as home:
        assert await home.used(headers={"X-Max-Latency-Ms": "1"}) == "igpu"


@pytest.mark.parametrize("media_type", ["realtime", "audio", "code", "image", "text"])
async def test_a_media_type_is_what_the_caller_says(media_type: str) -> None:
    async with house() as home:
        response = await home.ask(headers={"X-Media-Type": media_type})

        assert (await home.record(response))["workload"] == media_type


@pytest.mark.parametrize("priority", PRIORITIES)
async def test_a_priority_is_what_the_caller_says(priority: str) -> None:
    async with house() as home:
        response = await home.ask(headers={"X-Priority": priority})

        assert (await home.record(response))["priority"] == priority


async def test_a_priority_is_normal_unless_somebody_says_otherwise() -> None:
    async with house() as home:
        assert (await home.record(await home.ask()))["priority"] == "normal"


@pytest.mark.parametrize("path", DOORS)
async def test_a_request_id_comes_back_and_finds_the_decision(path: str) -> None:
    async with house({"npu": 4}) as home:
        response = await home.ask(path, {"X-Request-ID": "my-request.1"})

        assert response.headers["x-request-id"] == "my-request.1"
        assert (await home.find("my-request.1"))["backend"] == "npu"


async def test_a_request_without_an_id_gets_one_of_its_own() -> None:
    async with house({"npu": 4}) as home:
        ids = [(await home.ask()).headers["x-request-id"] for _ in range(3)]

        assert len(set(ids)) == 3
        assert [(await home.find(each))["request_id"] for each in ids] == ids


@pytest.mark.parametrize("header", SENSELESS)
async def test_a_header_that_makes_no_sense_is_refused_and_named(header: str) -> None:
    async with house({"npu": 4}) as home:
        for path in DOORS:
            for value in SENSELESS[header]:
                error = error_of(await home.ask(path, {header: value}), 400)

                assert error["param"] == header, value
                assert header in error["message"] or "backend" in error["message"]
        asked = {request.path for request in home.servers["npu"].requests}

    assert asked == {"/v1/models"}
