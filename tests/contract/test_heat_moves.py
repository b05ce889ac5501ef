"""A zone that gets hot in the middle of an answer: the rest comes from a cooler one, or the answer waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.contract.handoff import Moving, Reader, assert_one_answer, assert_seamless, in_every_way, moving, turns
from tests.contract.house import COOL, CRITICAL, WARM
from tests.fakes.sixty_tokens import TEXT, TOKENS
from tests.routers.running import CHAT, until

pytestmark = pytest.mark.anyio

#: The one that is asked first stands first.
HOUSE = ("igpu", "nvidia", "npu", "cpu")
SHUTDOWN = 96
AT_ONCE = {"dwell_seconds": 0}
ALL = len(TOKENS) + 1


@in_every_way
async def test_an_answer_leaves_a_zone_that_becomes_critical(path: str, stream: bool) -> None:
    async with moving(*HOUSE) as home:
        clean = await home.get(path, stream=stream)
        source = home.servers["igpu"]
        source.hold()
        source.write(10)
        asking = asyncio.create_task(home.get(path, stream=stream))
        await until(lambda: bool(source.open))
        await turns()
        await home.heat("igpu", CRITICAL)
        await home.write_until_moved("igpu", 10)
        got = await asking

        (move,) = await home.handoffs(got.request_id)
        record = await home.find(got.request_id)
        counted = await home.counted(reason="heat", continuation=move["continuation"], result="completed")
        await until(lambda: not home.open())
    got.assert_whole()
    assert got.usage == clean.usage
    assert (move["reason"], move["from"], move["prepared"], move["result"]) == ("heat", "igpu", False, "completed")
    assert "igpu" in move["why"]
    assert 10 <= move["at_tokens"] < len(TOKENS)
    assert move["at_chars"] == len("".join(TOKENS[: move["at_tokens"]]))
    assert move["to"] == record["backend"] != "igpu"
    assert counted == 1
    assert got.comments == ([f": handoff heat igpu -> {move['to']} {move['continuation']}"] if stream else [])


async def test_an_answer_that_leaves_the_heat_does_not_count_against_the_backend_that_it_left() -> None:
    async with moving(*HOUSE) as home:
        async with _begun(home) as reader:
            await home.heat("igpu", CRITICAL)
            await home.write_until_moved("igpu", 10)
            assert_seamless(await reader.rest())

        assert (await home.gateway.backends())["igpu"]["health"] == "closed"
        await home.gateway.until_idle("igpu")


async def test_an_answer_leaves_a_zone_that_gets_warm_before_it_must() -> None:
    async with moving(*HOUSE) as home, _begun(home) as reader:
        await home.heat("igpu", WARM)
        await home.write_until_moved("igpu", 10)
        streamed = await reader.rest()
        (move,) = await home.handoffs(reader.request_id)

    assert_seamless(streamed)
    assert (move["reason"], move["from"], move["prepared"], move["result"]) == ("heat", "igpu", True, "completed")
    assert f": handoff heat igpu -> {move['to']} {move['continuation']}" in streamed.comments


async def test_an_answer_stays_in_a_zone_that_is_as_warm_as_the_others() -> None:
    async with moving(*HOUSE) as home, _begun(home) as reader:
        await home.heat_everything(WARM)
        await _write(home, "igpu", 11, ALL)
        streamed = await reader.rest()

        assert await home.handoffs(reader.request_id) == []
        assert home.others_asked("igpu") == 0
    assert_seamless(streamed)


@pytest.mark.parametrize("cools", ["igpu", "npu"], ids=["its own", "another"])
async def test_an_answer_waits_while_the_whole_machine_is_critical(cools: str) -> None:
    async with moving(*HOUSE, zone=AT_ONCE) as home, _begun(home) as reader:
        await home.heat_everything(CRITICAL)
        await _write(home, "igpu", 11, 40)
        home.clock.advance(16)
        await reader.until_comment(": keep-alive")
        before = reader.answer.text
        await home.heat(cools, COOL)
        home.servers["igpu"].write(ALL)
        streamed = await reader.rest()
        record = await home.find(reader.request_id)

    assert_seamless(streamed)
    assert TEXT.startswith(before)
    assert not before.startswith("".join(TOKENS[:40]))
    assert record["backend"] == cools
    assert record["outcome"] == "completed"


@pytest.mark.parametrize("max_wait_seconds", [0, 30])
async def test_an_answer_ends_with_an_error_where_everything_must_shut_down(max_wait_seconds: float) -> None:
    async with moving(*HOUSE, handoff={"max_wait_seconds": max_wait_seconds}) as home, _begun(home) as reader:
        await home.heat_everything(SHUTDOWN)
        rest = asyncio.create_task(reader.rest())
        while not rest.done():
            home.clock.advance(2)
            home.tick()
            await asyncio.wait({rest}, timeout=0.05)
        streamed = await rest
        record = await home.find(reader.request_id)
        await until(lambda: not home.open())

    assert_one_answer(streamed, complete=False)
    assert streamed.text == "".join(TOKENS[:10])
    assert record["outcome"] == "broken"


async def test_an_answer_does_not_wait_for_a_silent_backend_whose_zone_must_shut_down() -> None:
    async with moving(*HOUSE) as home, _begun(home) as reader:
        await home.heat("igpu", SHUTDOWN)
        home.clock.advance(2)
        home.tick()
        streamed = await reader.rest()
        (move,) = await home.handoffs(reader.request_id)
        await until(lambda: not home.servers["igpu"].open)

    assert_seamless(streamed)
    assert (move["reason"], move["from"], move["at_tokens"]) == ("heat", "igpu", 10)


async def test_a_zone_that_was_left_is_not_returned_to_as_soon_as_it_has_cooled() -> None:
    async with moving(*HOUSE, zone=AT_ONCE) as home, _begun(home) as reader:
        second = await _next(home, reader, "igpu", 10)
        home.clock.advance(60)
        await home.heat("igpu", COOL)
        third = await _next(home, reader, second, 20)
        home.servers[third].write(ALL)
        streamed = await reader.rest()
        moves = await home.handoffs(reader.request_id)

    assert_seamless(streamed)
    assert third != "igpu"
    assert [(move["from"], move["to"]) for move in moves] == [("igpu", second), (second, third)]


async def test_a_zone_that_was_left_is_returned_to_after_the_cooldown() -> None:
    patience = {"cooldown_seconds": 120, "max_wait_seconds": 300}
    async with moving("igpu", "nvidia", zone=AT_ONCE, handoff=patience) as home, _begun(home) as reader:
        source = home.servers["igpu"]
        await _next(home, reader, "igpu", 10)
        asked = len(source.asked_to_write)
        await home.heat("igpu", COOL)
        await home.heat("nvidia", CRITICAL)
        await _write(home, "nvidia", 21, 30)
        home.clock.advance(60)
        await reader.until_comment(": keep-alive")
        early = len(source.asked_to_write)
        source.write(ALL)
        home.clock.advance(70)
        streamed = await reader.rest()
        record = await home.find(reader.request_id)

    assert_seamless(streamed)
    assert early == asked
    assert record["backend"] == "igpu"


async def test_ten_answers_that_leave_one_zone_spread_out() -> None:
    places = {"igpu": {"concurrency": 10}, **{name: {"concurrency": 4} for name in HOUSE[1:]}}
    async with moving(*HOUSE, more=places) as home:
        source, targets = home.servers["igpu"], [home.servers[name] for name in HOUSE[1:]]
        for server in home.servers.values():
            server.hold()
        source.write(5)
        asking = [asyncio.create_task(home.get(CHAT, stream=True)) for _ in range(10)]
        await until(lambda: source.open == 10)
        await turns()
        await home.heat("igpu", CRITICAL)
        await _write(home, "igpu", 6, 40)
        await until(lambda: sum(server.open for server in targets) == 10)
        spread = [server.open for server in targets]
        for server in targets:
            server.write(ALL)
        answers = await asyncio.gather(*asking)

    for got in answers:
        got.assert_whole()
    assert sorted(spread) in ([2, 4, 4], [3, 3, 4])
    assert max(server.most_open for server in targets) <= 4


async def test_the_answer_with_most_left_to_write_leaves_first_where_places_are_few() -> None:
    async with moving("igpu", "nvidia", more={"nvidia": {"concurrency": 1}}) as home:
        source, target = home.servers["igpu"], home.servers["nvidia"]
        source.hold()
        source.write(5)
        limits = (20, 60, 40)
        asking = [asyncio.create_task(home.get(CHAT, stream=True, max_tokens=limit)) for limit in limits]
        await until(lambda: source.open == len(limits))
        await turns()
        target.hold()
        await home.heat("igpu", CRITICAL)
        await _write(home, "igpu", 6, 12)
        await until(lambda: bool(target.open))
        first = target.asked_to_write[0].body["max_tokens"]
        target.write(ALL)
        source.write(ALL)
        answers = await asyncio.gather(*asking)

    assert 60 - 12 <= first <= 60 - 5
    assert target.most_open == 1
    assert [got.text for got in answers] == ["".join(TOKENS[:limit]) for limit in limits]


async def test_an_answer_that_was_sent_to_one_backend_waits_there() -> None:
    """Where limits may give way, safety makes this one give way too, as it does for a new request."""
    pinned, routing = {"X-Target-Backend": "igpu"}, {"on_no_candidate": "reject"}
    async with moving(*HOUSE, zone=AT_ONCE, routing=routing) as home, _begun(home, headers=pinned) as reader:
        await home.heat("igpu", CRITICAL)
        await _write(home, "igpu", 11, 20)
        home.clock.advance(16)
        await reader.until_comment(": keep-alive")
        await home.heat("igpu", COOL)
        home.servers["igpu"].write(ALL)
        streamed = await reader.rest()

        assert home.others_asked("igpu") == 0
    assert_seamless(streamed)


async def test_another_model_goes_on_under_the_name_of_the_first_and_the_record_tells_the_truth() -> None:
    async with moving("igpu", "nvidia", models={"nvidia": "large"}) as home, _begun(home, model="auto") as reader:
        await reader.until(1)
        name = reader.answer.events[0]["model"]
        await home.heat("igpu", CRITICAL)
        await home.write_until_moved("igpu", 10)
        streamed = await reader.rest()
        record = await home.find(reader.request_id)

    assert_seamless(streamed)
    assert {event["model"] for event in streamed.events} == {name}
    assert (record["model_asked"], record["model"], record["backend"]) == ("auto", "large", "nvidia")


async def test_who_asked_for_one_model_gets_no_other() -> None:
    models = {"nvidia": "large", "cpu": "large"}
    async with moving(*HOUSE, models=models) as home, _begun(home, model="small") as reader:
        await home.heat("igpu", CRITICAL)
        await home.write_until_moved("igpu", 10)
        streamed = await reader.rest()
        record = await home.find(reader.request_id)

        assert [home.servers[name].asked_to_write for name in models] == [[], []]
    assert_seamless(streamed)
    assert (record["backend"], record["model"]) == ("npu", "small")


async def test_who_asked_for_one_model_waits_for_it() -> None:
    async with moving("igpu", "nvidia", models={"nvidia": "large"}, zone=AT_ONCE) as home:
        async with _begun(home, model="small") as reader:
            await home.heat("igpu", CRITICAL)
            await _write(home, "igpu", 11, 20)
            home.clock.advance(16)
            await reader.until_comment(": keep-alive")
            await home.heat("igpu", COOL)
            home.servers["igpu"].write(ALL)
            assert_seamless(await reader.rest())

        assert home.others_asked("igpu") == 0


async def test_a_client_that_leaves_while_its_answer_waits_for_cooler_days_is_forgotten() -> None:
    async with moving(*HOUSE) as home:
        async with _begun(home) as reader:
            await home.heat_everything(CRITICAL)
            await _write(home, "igpu", 11, 40)
            home.clock.advance(16)
            await reader.until_comment(": keep-alive")
        await until(lambda: not home.open())
        for name in HOUSE:
            await home.gateway.until_idle(name)

        async def has_left() -> bool:
            return bool((await home.find(reader.request_id))["outcome"] == "left")

        await until(has_left)


@asynccontextmanager
async def _begun(home: Moving, headers: dict[str, str] | None = None, **changes: Any) -> AsyncIterator[Reader]:
    """An answer of which ten tokens were read; nobody writes more until it is told to."""
    source = home.servers["igpu"]
    source.hold()
    source.write(10)
    async with home.reading(CHAT, headers, **changes) as reader:
        assert reader.source == "igpu"
        await reader.until(10)
        yield reader


async def _write(home: Moving, name: str, first: int, last: int) -> None:
    """Let a backend write so far, a token at a time; the heat is looked at after each."""
    for tokens in range(first, last + 1):
        home.servers[name].write(tokens)
        home.tick()
        await turns()


async def _next(home: Moving, reader: Reader, source: str, written: int) -> str:
    """The zone where it is becomes critical: where it is then, ten tokens further on."""
    for name, server in home.servers.items():
        if name != source:
            server.hold()
            server.write(written + 10)
    await home.heat(source, CRITICAL)
    await home.write_until_moved(source, written)
    await reader.until(written + 10)
    (name,) = (name for name, server in home.servers.items() if server.open)
    return name
