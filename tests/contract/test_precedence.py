"""Who wins: 1 safety, 2 the mode's limits, 3 the request's own headers, 4 defaults; each pair of them."""

from __future__ import annotations

import pytest

from tests.contract.house import CRITICAL, WATTS, House, house
from tests.contract.paced import TEN_WORDS, paced
from tests.routers.running import error_of

pytestmark = pytest.mark.anyio

REJECT = {"on_no_candidate": "reject"}
PAIR: dict[str, float | None] = {"igpu": 12, "nvidia": 55}


async def test_safety_before_the_mode_whose_degrees_reach_beyond_critical() -> None:
    """Performance allows 90 °C, and a zone is critical from 85."""
    async with house(routing={"mode": "performance"}) as home:
        await home.put("nvidia", celsius=CRITICAL)

        assert await home.used() == "igpu"


async def test_safety_before_the_mode_that_names_nothing_else() -> None:
    async with house(routing={"mode": "ultra-efficiency"}) as home:
        await home.put("npu", celsius=CRITICAL)
        response = await home.ask()

        assert response.headers["x-backend-used"] == "igpu"
        assert (await home.record(response))["relaxed"] == "mode"


async def test_throttling_before_the_mode() -> None:
    async with house() as home:
        await home.put("igpu", celsius=50, throttling=True)

        assert (await home.zone("igpu"))["state"] == "critical"
        assert await home.used() == "nvidia"


async def test_offline_before_the_mode() -> None:
    async with house(routing={"mode": "ultra-efficiency"}, more={"npu": {"health": {"failures": 1}}}) as home:
        await _take_offline(home, "npu")
        response = await home.ask()

        assert response.headers["x-backend-used"] == "igpu"
        assert (await home.record(response))["relaxed"] == "mode"


@pytest.mark.parametrize("ailment", ["critical", "throttling", "offline"])
async def test_safety_before_the_request(ailment: str) -> None:
    async with house(more={"nvidia": {"health": {"failures": 1}}}) as home:
        await _strike(home, "nvidia", ailment)
        response = await home.ask(headers={"X-Target-Backend": "nvidia"})

        assert response.headers["x-backend-used"] == "igpu"
        assert (
            "gave way, nothing else is left: the request asks for backend 'nvidia'"
            in (response.headers["x-routing-reason"])
        )
        assert (await home.record(response))["relaxed"] == "request"


async def test_safety_before_the_request_is_an_error_where_limits_do_not_give_way() -> None:
    async with house(routing=REJECT) as home:
        await home.put("nvidia", celsius=CRITICAL)
        response = await home.ask(headers={"X-Target-Backend": "nvidia"})

    assert "nvidia: zone 'nvidia' is critical" in error_of(response, 503)["message"]


async def test_safety_before_defaults() -> None:
    """By default nothing long is begun where it would get too hot; yet better there than where it is too hot."""
    async with house(PAIR) as home:
        await _promise_heat(home, "igpu")
        await home.put("nvidia", celsius=CRITICAL)
        response = await home.ask()

        assert response.headers["x-backend-used"] == "igpu"
        assert response.headers["x-routing-reason"].startswith("forecast: gave way")
        assert (await home.record(response))["relaxed"] == "default"


async def test_nothing_makes_safety_give_way() -> None:
    async with house() as home:
        await home.put_everywhere(celsius=CRITICAL)
        await home.choose("performance")
        response = await home.ask(headers={"X-Target-Backend": "nvidia", "X-Priority": "critical"})

    assert "critical" in error_of(response, 503)["message"]
    assert int(response.headers["retry-after"]) >= 1
    asked = [request.path for server in home.servers.values() for request in server.requests]
    assert set(asked) == {"/v1/models"}


async def test_the_mode_before_the_request_that_names_a_backend() -> None:
    async with house(routing={"mode": "quiet"}) as home:
        response = await home.ask(headers={"X-Target-Backend": "nvidia"})

        assert response.headers["x-backend-used"] == "npu"
        assert (await home.record(response))["relaxed"] == "request"


async def test_the_mode_before_the_request_is_an_error_where_limits_do_not_give_way() -> None:
    async with house(routing={"mode": "quiet", **REJECT}) as home:
        response = await home.ask(headers={"X-Target-Backend": "nvidia"})

    assert "nvidia: mode quiet uses no nvidia" in error_of(response, 503)["message"]


async def test_the_mode_before_the_request_that_allows_more_watts() -> None:
    async with house(routing={"mode": "efficiency", **REJECT}) as home:
        await home.put("npu", celsius=CRITICAL)
        await home.put("igpu", celsius=CRITICAL)

        response = await home.ask(headers={"X-Max-Power-Watts": "100"})

    assert "nvidia: mode efficiency allows 15 W, it draws 55" in error_of(response, 503)["message"]


async def test_the_mode_before_the_request_that_is_in_a_hurry() -> None:
    async with house(routing={"mode": "efficiency"}) as home:
        assert await home.used(headers={"X-Latency-Critical": "true"}) == "igpu"  # nvidia draws too much


async def test_the_mode_before_defaults() -> None:
    """Where it would get too hot before the end, but the mode allows it, before where the mode does not."""
    async with house(PAIR, routing={"mode": "quiet"}) as home:
        await _promise_heat(home, "igpu")
        response = await home.ask()

        assert response.headers["x-backend-used"] == "igpu"
        assert (await home.record(response))["relaxed"] == "default"


async def test_the_request_before_defaults_that_exclude() -> None:
    async with house(PAIR) as home:
        await _promise_heat(home, "igpu")

        assert await home.used() == "nvidia"
        assert await home.used(headers={"X-Target-Backend": "igpu"}) == "igpu"


@pytest.mark.parametrize("name", WATTS)
async def test_the_request_before_defaults_that_prefer(name: str) -> None:
    async with house() as home:
        assert await home.used(headers={"X-Target-Backend": name}) == name


async def test_defaults_decide_where_nobody_says_anything() -> None:
    async with house() as home:
        assert await home.used() == "igpu"
        await _promise_heat(home, "igpu")
        response = await home.ask()
        (rejected,) = (await home.record(response))["rejected"]

    assert response.headers["x-backend-used"] == "nvidia"
    assert rejected["backend"] == "igpu"
    assert rejected["verdicts"][-1]["rule"] == "forecast"


async def _strike(home: House, name: str, ailment: str) -> None:
    if ailment == "offline":
        await _take_offline(home, name)
    else:
        await home.put(name, **({"celsius": CRITICAL} if ailment == "critical" else {"throttling": True}))


async def _take_offline(home: House, name: str) -> None:
    """It fails once, which opens its breaker."""
    home.servers[name].refuse()
    await home.ask(headers={"X-Target-Backend": name})
    await home.gateway.until_health(name, "open")


async def _promise_heat(home: House, name: str) -> None:
    """Its answers take a minute, and with a degree more every second it will be critical in half of that."""
    server = home.servers[name]
    server.words = TEN_WORDS
    server.script = paced(server, home.clock, first_seconds=6, each_seconds=6)
    await home.ask(headers={"X-Target-Backend": name})
    server.script = None
    for degrees in range(20):
        home.clock.advance(1)
        await home.put(name, celsius=41 + degrees)
