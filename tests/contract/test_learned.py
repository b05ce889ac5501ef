"""Speed and energy are learned from answers, and the headers of the contract go by what was learned."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.house import House, house
from tests.contract.paced import TEN_WORDS, paced
from tests.fakes.answers import Answer, Silence
from tests.fakes.wire import Request
from tests.routers.running import CHAT, EMBED, error_of, until

pytestmark = pytest.mark.anyio


async def teach(home: House, name: str, *, first_seconds: float = 0.0, each_seconds: float = 0.0) -> None:
    """Its answers of ten words take so long, and there has been one."""
    server = home.servers[name]
    server.words = TEN_WORDS
    server.script = paced(server, home.clock, first_seconds=first_seconds, each_seconds=each_seconds)
    assert await home.used(headers={"X-Target-Backend": name}) == name


async def test_a_latency_excludes_what_is_known_to_be_slower() -> None:
    async with house() as home:
        await teach(home, "igpu", first_seconds=2, each_seconds=0.5)
        used = {
            limit: await home.used(headers={"X-Max-Latency-Ms": limit}, stream=True)
            for limit in ("2500", "2000", "1999")
        }

    assert used == {"2500": "igpu", "2000": "igpu", "1999": "nvidia"}


async def test_a_latency_is_to_the_end_of_a_whole_answer() -> None:
    """Two seconds to the first word and half a second for each of ten."""
    async with house() as home:
        await teach(home, "igpu", first_seconds=2, each_seconds=0.5)
        used = {limit: await home.used(headers={"X-Max-Latency-Ms": limit}) for limit in ("7000", "6900")}
        short = await home.used(headers={"X-Max-Latency-Ms": "6900"}, max_tokens=5)

    assert used == {"7000": "igpu", "6900": "nvidia"}
    assert short == "igpu"


@pytest.mark.parametrize("path", [EMBED, CHAT], ids=["an embedding", "an answer that comes in one piece"])
async def test_a_latency_counts_where_nobody_counts_tokens(path: str) -> None:
    async with house() as home:
        server = home.servers["igpu"]

        def script(request: Request) -> Answer:
            home.clock.advance(3)
            return server.answer(request)

        server.script = script
        used = [await home.used(path, {"X-Max-Latency-Ms": limit}) for limit in ("1", "3000", "2999")]

    assert used == ["igpu", "igpu", "nvidia"]


async def test_a_latency_that_nobody_can_keep_gives_way_to_the_nearest() -> None:
    async with house({"igpu": 12, "npu": 4}) as home:
        await teach(home, "igpu", first_seconds=3)
        await teach(home, "npu", first_seconds=2)
        response = await home.ask(headers={"X-Max-Latency-Ms": "500"}, stream=True)

    assert response.headers["x-backend-used"] == "npu"
    assert "the request allows 0.5 s, it takes about 2" in response.headers["x-routing-reason"]


async def test_a_latency_that_nobody_can_keep_is_refused_where_limits_do_not_give_way() -> None:
    async with house({"igpu": 12}, routing={"on_no_candidate": "reject"}) as home:
        await teach(home, "igpu", first_seconds=3)
        response = await home.ask(headers={"X-Max-Latency-Ms": "500"}, stream=True)

    assert "the request allows 0.5 s, it takes about 3" in error_of(response, 503)["message"]


async def test_waiting_in_line_counts_as_latency() -> None:
    """Two seconds for the one who is at work, and two of one's own."""
    async with house({"igpu": 12, "npu": 4}, more={"igpu": {"concurrency": 1}}) as home:
        await teach(home, "igpu", first_seconds=2)
        server, gate = home.servers["igpu"], asyncio.Event()
        server.script = lambda request: Silence(gate, then=server.answer(request))
        held = asyncio.create_task(home.ask())
        await server.asked(3)
        elsewhere = await home.used(headers={"X-Max-Latency-Ms": "3999"}, stream=True)
        waiting = asyncio.create_task(home.used(headers={"X-Max-Latency-Ms": "4000"}, stream=True))
        await until(lambda: home.gateway.gateway.lanes["igpu"].waiting() == 1)
        gate.set()
        await held

        assert (elsewhere, await waiting) == ("npu", "igpu")


async def test_a_request_in_a_hurry_goes_to_the_quick_one() -> None:
    hurry = {"X-Latency-Critical": "true"}
    async with house() as home:
        before = await home.used(headers=hurry)
        await teach(home, "nvidia", first_seconds=8, each_seconds=0.5)
        await teach(home, "npu", first_seconds=0.05, each_seconds=0.005)
        after = await home.used(headers=hurry)

    assert (before, after) == ("nvidia", "npu")


async def test_a_thrifty_request_goes_to_what_needs_the_fewest_joules_for_a_token() -> None:
    """Not to what draws the fewest watts: the NPU is so slow here that it needs more of them in all."""
    thrift = {"X-Power-Efficient": "true"}
    async with house(zones=[]) as home:
        assert await home.used(headers=thrift) == "npu"
    async with house(zones=[]) as home:
        await teach(home, "npu", first_seconds=4, each_seconds=4)
        await teach(home, "igpu", first_seconds=0.05, each_seconds=0.05)
        after = await home.used(headers=thrift)
        learned = {
            name: each["learned"]["small"] for name, each in (await home.gateway.backends()).items() if each["learned"]
        }

    assert after == "igpu"
    assert learned["npu"]["joules_per_token"] == pytest.approx(4 * 40 / 10)
    assert learned["igpu"]["joules_per_token"] == pytest.approx(12 * 0.5 / 10)


async def test_what_was_learned_hardly_weighs_for_a_request_that_asks_for_nothing() -> None:
    async with house(zones=[]) as home:
        await teach(home, "igpu", first_seconds=30, each_seconds=1)
        await teach(home, "nvidia", first_seconds=0.05, each_seconds=0.005)

        assert await home.used() == "igpu"
