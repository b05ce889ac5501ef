"""What a client can rely on when its answer moves, by the numbers of the promises (`handoff.md`, invariants 1 to 7)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.contract.handoff import (
    Moving,
    asked,
    assert_one_answer,
    assert_seamless,
    in_every_way,
    moving,
    on_either_path,
    turns,
)
from tests.contract.house import COOL, CRITICAL
from tests.fakes.answers import Json
from tests.fakes.faults import Gate, cut, cut_in_a_character, ends, in_pieces, late, mute, second_role, silent
from tests.fakes.sixty_tokens import ARGUMENTS, DOCUMENT, LOOKING, TEXT, TOKENS
from tests.routers.running import CHAT, COMPLETE, Streamed, until

pytestmark = pytest.mark.anyio

NO_PATIENCE = {"max_wait_seconds": 0}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "array"}}}
JSON_WANTED = {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA}}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]

in_a_few_examples = settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def begun(tokens: int) -> str:
    return "".join(TOKENS[:tokens])


@on_either_path
async def test_a_moved_answer_keeps_its_identity(path: str) -> None:
    """Invariant 1: one id, one created, one model, one role, one finish_reason, and [DONE] last."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(30))
        async with home.reading(path) as reader:
            await reader.until(1)
            first = reader.answer.events[0]
            streamed = await reader.rest()

    assert_seamless(streamed)
    assert "-a-" in first["id"]
    assert {event["id"] for event in streamed.events} == {first["id"]}


async def test_a_role_is_told_once_though_both_backends_tell_it_twice() -> None:
    """Invariant 1."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(lambda said: cut(20)(_with_roles(said)))
        home.servers["b"].faults.append(second_role(10))
        got = await home.get(CHAT, stream=True)

    got.assert_whole()


@on_either_path
async def test_an_answer_that_can_not_be_proved_complete_never_looks_like_one(path: str) -> None:
    """Invariant 1: all of the text has come, but nobody says that this was all."""
    async with moving("a", handoff=NO_PATIENCE) as home:
        home.servers["a"].faults.append(ends(60, with_done=True))
        streamed = Streamed(await home.ask(path, **asked(path, stream=True)))

    assert_one_answer(streamed, complete=False)
    assert streamed.text == TEXT


@in_a_few_examples
@given(
    tokens=st.integers(0, len(TOKENS)),
    sizes=st.lists(st.sampled_from([1, 2, 7, 100, 5000]), min_size=1, max_size=4),
    path=st.sampled_from([CHAT, COMPLETE]),
)
async def test_not_one_character_is_lost_or_doubled_wherever_it_is_cut(
    tokens: int, sizes: list[int], path: str
) -> None:
    """Invariant 2: any cut, in any pieces."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(in_pieces(tokens, sizes))
        (await home.get(path, stream=True)).assert_whole()


@in_a_few_examples
@given(
    cuts=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    path=st.sampled_from([CHAT, COMPLETE]),
    stream=st.booleans(),
)
async def test_not_one_character_is_lost_or_doubled_however_often_it_is_cut(
    cuts: list[int], path: str, stream: bool
) -> None:
    """Invariant 2, over several seams."""
    async with moving("a", "b", "c", "d", "e") as home:
        for name, tokens in zip("abcd", cuts, strict=False):
            home.servers[name].faults.append(cut(tokens))
        (await home.get(path, stream=stream)).assert_whole()


async def test_what_the_client_has_is_what_the_next_backend_is_given() -> None:
    """Invariant 2: to the letter, white space and all."""
    async with moving("a", "b", owners={"b": "sglang"}) as home:
        home.servers["a"].faults.append(cut(22))  # after the empty line
        async with home.reading() as reader:
            await reader.until(22)
            assert_seamless(await reader.rest())
        (request,) = home.servers["b"].asked_to_write

    *before, last = request.body["messages"]
    assert [turn["role"] for turn in before] == ["user"]
    assert (last["role"], last["content"]) == ("assistant", begun(22))
    assert begun(22).endswith("\n\n")


async def test_the_tokens_of_an_answer_have_their_log_probabilities_once() -> None:
    """Invariant 2, of what is told beside the text."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(30))
        streamed = Streamed(await home.ask(CHAT, stream=True, logprobs=True))

    assert_seamless(streamed)
    told = [
        entry["token"] for choice in streamed.choices if choice["logprobs"] for entry in choice["logprobs"]["content"]
    ]
    assert told == list(TOKENS)


@in_every_way
@pytest.mark.parametrize("tokens", [1, 30, 59, 60])
async def test_usage_is_that_of_the_whole_answer_once(tokens: int, path: str, stream: bool) -> None:
    """Invariant 3: the prompt as without the move, and every token of the answer."""
    async with moving("a", "b") as home:
        clean = await home.get(path, stream=stream)
        home.servers["a"].faults.append(cut(tokens))
        got = await home.get(path, stream=stream)
        record = await home.find(got.request_id)

    assert clean.usage is not None
    assert got.usage == clean.usage
    assert (got.usage["completion_tokens"], record["usage"]["completion_tokens"]) == (60, 60)


@on_either_path
async def test_usage_that_nobody_asked_for_is_not_told(path: str) -> None:
    """Invariant 3."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(30))
        streamed = Streamed(await home.ask(path, **{**asked(path, stream=True), "stream_options": None}))

    assert_seamless(streamed)
    assert not [event for event in streamed.events if event.get("usage") or not event["choices"]]


@in_every_way
@pytest.mark.parametrize("at", [1, 40, 49])
async def test_a_limit_of_tokens_holds_across_the_seam(at: int, path: str, stream: bool) -> None:
    """Invariant 3."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(at))
        got = await home.get(path, stream=stream, max_tokens=50)

    assert (got.text, got.finish_reasons) == (begun(50), ["length"])
    assert got.usage is not None
    assert got.usage["completion_tokens"] == 50


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_limit_of_tokens_by_its_newer_name_holds_too(stream: bool) -> None:
    """Invariant 3."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(40))
        got = await home.get(CHAT, stream=stream, max_completion_tokens=50)

    assert (got.text, got.finish_reasons) == (begun(50), ["length"])


@in_every_way
async def test_an_answer_that_has_reached_its_limit_needs_nobody_to_go_on(path: str, stream: bool) -> None:
    """Invariant 3: what is missing is only the word that it is complete."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(50))
        got = await home.get(path, stream=stream, max_tokens=50)

        assert home.servers["b"].asked_to_write == []
    assert (got.text, got.finish_reasons) == (begun(50), ["length"])


@in_every_way
@pytest.mark.parametrize("stop", [" END", [" END"], ["never said", " END", " song"]], ids=str)
async def test_a_stop_string_after_the_seam_ends_the_answer(stop: str | list[str], path: str, stream: bool) -> None:
    """Invariant 3."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(10))
        got = await home.get(path, stream=stream, stop=stop)

    assert (got.text, got.finish_reasons) == (begun(25), ["stop"])


@in_every_way
@pytest.mark.parametrize(
    ("stop", "at"),
    [(" drift over", 18), ("drift over Zürich", 18), ("drift over Zürich", 19), ("東京", 7), ("é clo", 34)],
)
async def test_a_stop_string_that_spans_the_seam_ends_the_answer(stop: str, at: int, path: str, stream: bool) -> None:
    """Invariant 3: what was sent of it can't be taken back, and nothing of it may follow."""
    before = TEXT[: TEXT.index(stop)]
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(at))
        got = await home.get(path, stream=stream, stop=[stop])

    assert before != begun(at)
    assert got.text in (before, begun(at))
    assert got.finish_reasons == ["stop"]


@in_every_way
@pytest.mark.parametrize("stop", [" drift away", "over there", "us!?"])
async def test_the_beginning_of_a_stop_string_that_does_not_come_is_not_lost(
    stop: str, path: str, stream: bool
) -> None:
    """Invariant 3."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(18))
        (await home.get(path, stream=stream, stop=[stop])).assert_whole()


@on_either_path
@pytest.mark.parametrize("silence", [late, mute], ids=["no event", "no head"])
async def test_comments_keep_the_stream_open_while_the_next_backend_is_silent(silence: Any, path: str) -> None:
    """Invariant 4."""
    gate = Gate()
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(20))
        home.servers["b"].faults.append(silence(gate))
        async with home.reading(path) as reader:
            await reader.until(20)
            await gate.reached.wait()
            home.clock.advance(16)
            await reader.until_comment(": keep-alive")
            gate.set()
            streamed = await reader.rest()

    assert_seamless(streamed)
    assert streamed.comments.count(": keep-alive") == 1


async def test_comments_keep_the_stream_open_while_nobody_can_go_on() -> None:
    """Invariant 4: however often it is tried meanwhile."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(20))
        _refuses_after_one(home, "a")
        _refuses(home, "b")
        tried = len(home.servers["b"].requests)
        async with home.reading(COMPLETE) as reader:
            for _ in range(3):
                tried += 1
                await home.servers["b"].asked(tried)
                await turns()
                home.clock.advance(6)
            await reader.until_comment(": keep-alive")
            home.servers["b"].script = None
            streamed = await reader.rest()

    assert_seamless(streamed)


@pytest.mark.parametrize("tokens", [5, 8, 13])
async def test_a_call_of_a_tool_that_was_cut_gets_no_second_half(tokens: int) -> None:
    """Invariant 5: arguments that two backends wrote would be none."""
    async with moving("a", "b", handoff=NO_PATIENCE) as home:
        home.servers["a"].faults.append(cut(tokens))
        streamed = Streamed(await home.ask(CHAT, stream=True, tools=TOOLS))

        assert home.servers["b"].asked_to_write == []
    assert_one_answer(streamed, complete=False)
    assert _arguments(streamed) == "".join(ARGUMENTS[: tokens - len(LOOKING) - 1])


async def test_a_call_of_a_tool_that_was_cut_is_502_for_whoever_did_not_ask_for_a_stream() -> None:
    """Invariant 5."""
    async with moving("a", "b", handoff=NO_PATIENCE) as home:
        home.servers["a"].faults.append(cut(8))
        response = await home.ask(CHAT, tools=TOOLS)

    assert response.status_code == 502


async def test_an_answer_that_was_cut_before_it_calls_a_tool_calls_it_elsewhere() -> None:
    """Invariant 5."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(2))
        streamed = Streamed(await home.ask(CHAT, stream=True, tools=TOOLS))

    assert_one_answer(streamed)
    assert (streamed.text, _arguments(streamed)) == ("".join(LOOKING), "".join(ARGUMENTS))
    assert streamed.finish_reasons == ["tool_calls"]


async def test_a_call_of_a_tool_stays_in_the_heat_until_it_is_told() -> None:
    """Invariant 5."""
    async with moving("igpu", "nvidia") as home:
        home.servers["igpu"].hold()
        home.servers["igpu"].write(8)
        async with home.reading(tools=TOOLS) as reader:
            await reader.until_pieces(8)
            await home.heat("igpu", CRITICAL)
            home.servers["igpu"].write(len(TOKENS) + 1)
            streamed = await reader.rest()

        assert home.servers["nvidia"].asked_to_write == []
    assert_one_answer(streamed)
    assert _arguments(streamed) == "".join(ARGUMENTS)


@pytest.mark.parametrize("tokens", [1, 5, 12])
async def test_a_constrained_answer_that_was_cut_is_not_begun_anew_in_its_middle(tokens: int) -> None:
    """Invariant 5: a target whose constraint would begin at its root is none."""
    async with moving("a", "b", handoff=NO_PATIENCE) as home:
        home.servers["a"].faults.append(cut(tokens))
        streamed = Streamed(await home.ask(CHAT, stream=True, response_format=JSON_WANTED))

        assert home.servers["b"].asked_to_write == []
    assert_one_answer(streamed, complete=False)
    assert streamed.text == "".join(DOCUMENT[:tokens])


async def test_a_constrained_answer_of_which_nothing_is_written_is_begun_elsewhere() -> None:
    """Invariant 5."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(0))
        streamed = Streamed(await home.ask(CHAT, stream=True, response_format=JSON_WANTED))

    assert_one_answer(streamed)
    assert streamed.text == "".join(DOCUMENT)


async def test_a_constrained_answer_stays_in_the_heat_until_its_end() -> None:
    """Invariant 5."""
    async with moving("igpu", "nvidia") as home:
        home.servers["igpu"].hold()
        home.servers["igpu"].write(5)
        async with home.reading(response_format=JSON_WANTED) as reader:
            await reader.until_it_says("".join(DOCUMENT[:5]))
            await home.heat("igpu", CRITICAL)
            home.servers["igpu"].write(len(TOKENS) + 1)
            await turns()
            await home.heat("igpu", COOL)
            streamed = await reader.rest()

        assert home.servers["nvidia"].asked_to_write == []
    assert_one_answer(streamed)
    assert streamed.text == "".join(DOCUMENT)


@in_every_way
@pytest.mark.parametrize("at", [6, 11, 33, 37, 52])
async def test_half_a_character_is_never_sent(at: int, path: str, stream: bool) -> None:
    """Invariant 5: what came of it is dropped, and the next backend writes it."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut_in_a_character(at))
        got = await home.get(path, stream=stream)
        (move,) = await home.handoffs(got.request_id)

    got.assert_whole()
    assert "\ufffd" not in got.text
    assert move["at_chars"] == len(begun(at))


@on_either_path
async def test_the_record_tells_of_every_move_and_of_none_that_was_not(path: str) -> None:
    """Invariant 6."""
    async with moving("a", "b", "c") as home:
        for name, tokens in (("a", 7), ("b", 30)):
            home.servers[name].faults.append(cut(tokens))
        got = await home.get(path, stream=True)
        moves = await home.handoffs(got.request_id)
        counted = await home.counted(reason="fault"), await home.counted(reason="heat")
        others = await home.get(path, stream=True)

        assert await home.handoffs(others.request_id) == []
    assert [(move["from"], move["to"], move["at_tokens"], move["at_chars"]) for move in moves] == [
        ("a", "b", 7, len(begun(7))),
        ("b", "c", 37, len(begun(37))),
    ]
    assert all(move["why"] and move["stall_ms"] is not None for move in moves)
    assert counted == (2, 0)


async def test_the_record_of_an_answer_that_nothing_could_go_on_with_says_so() -> None:
    """Invariant 6."""
    async with moving("a", "b", handoff=NO_PATIENCE) as home:
        home.servers["a"].faults.append(cut(20))
        _refuses(home, "b")
        streamed = Streamed(await home.ask(CHAT, stream=True))
        record = await home.find(streamed.response.headers["x-request-id"])
        completed = await home.counted(result="completed")

    assert_one_answer(streamed, complete=False)
    assert record["outcome"] == "broken"
    assert [move["result"] for move in record["handoffs"]] == ["failed"]
    assert completed == 0


@in_every_way
async def test_a_client_that_leaves_the_second_backend_stops_it(path: str, stream: bool) -> None:
    """Invariant 7."""
    gate = Gate()
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(20))
        home.servers["b"].faults.append(silent(10, gate))
        await _leaves_at(home, gate, path, stream)


@in_every_way
@pytest.mark.parametrize("silence", [late, mute], ids=["no event", "no head"])
async def test_a_client_that_leaves_in_the_middle_of_a_move_stops_it(silence: Any, path: str, stream: bool) -> None:
    """Invariant 7."""
    gate = Gate()
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(20))
        home.servers["b"].faults.append(silence(gate))
        await _leaves_at(home, gate, path, stream)


@in_every_way
async def test_a_client_that_leaves_while_its_answer_waits_is_waited_for_no_more(path: str, stream: bool) -> None:
    """Invariant 7."""
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(20))
        _refuses(home, "b")
        before = len(home.servers["b"].requests)
        asking = asyncio.create_task(home.get(path, stream=stream))
        await home.servers["b"].asked(before + 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await _nobody_works(home)


def _with_roles(said: Any) -> Any:
    """The same, with its role told again after ten tokens."""
    return type(said)(said.role, (*said.tokens[:10], *said.role, *said.tokens[10:]), said.finish, said.usage)


def _arguments(streamed: Streamed) -> str:
    calls = [call for choice in streamed.choices for call in choice["delta"].get("tool_calls", ())]
    return "".join(call["function"]["arguments"] for call in calls)


def _refuses(home: Moving, name: str) -> None:
    home.servers[name].script = lambda _: Json({"error": "loading"}, 503)


def _refuses_after_one(home: Moving, name: str) -> None:
    """It takes one more answer, and no other."""
    server = home.servers[name]
    server.script = lambda request: (
        Json({"error": "loading"}, 503) if server.asked_to_write[1:] else server.answer(request)
    )


async def _leaves_at(home: Moving, gate: Gate, path: str, stream: bool) -> None:
    """The client leaves when somebody waits at the gate; then nobody works for it any more."""
    asking = asyncio.create_task(home.get(path, stream=stream))
    async with asyncio.timeout(5):
        await gate.reached.wait()
    assert home.open() == 1
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await _nobody_works(home)


async def _nobody_works(home: Moving) -> None:
    await until(lambda: not home.open())
    for name in home.servers:
        await home.gateway.until_idle(name)

    async def has_left() -> bool:
        (record,) = (await home.gateway.get("/admin/decisions?limit=1")).json()["data"]
        return bool(record["outcome"] == "left")

    await until(has_left)
