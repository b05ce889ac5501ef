"""A backend that fails in the middle of an answer: another one goes on, and the client gets all of it, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.contract.handoff import (
    Moving,
    asked,
    assert_one_answer,
    in_every_way,
    moving,
    on_either_path,
    turns,
)
from tests.fakes.answers import CLOSE, Json
from tests.fakes.faults import (
    Fault,
    Gate,
    byte_by_byte,
    cut,
    cut_after_the_finish,
    cut_at_once,
    cut_in_a_character,
    ends,
    garbled,
    late,
    mute,
    no_usage,
    refused,
    second_role,
    silent,
    text_after_the_finish,
)
from tests.fakes.openai_server import event
from tests.fakes.sixty_tokens import TOKENS
from tests.routers.running import CHAT, Streamed, error_of, until

pytestmark = pytest.mark.anyio

NO_PATIENCE = {"max_wait_seconds": 0}

#: What goes wrong, and after how many tokens of the answer.
FAULTS: dict[str, tuple[Fault, int]] = {
    "a reset after 1": (cut(1), 1),
    "a reset after 40": (cut(40), 40),
    "a close after 40": (cut(40, CLOSE), 40),
    "a reset after 59": (cut(59), 59),
    "a reset after all of them": (cut(60), 60),
    "a reset within a word": (cut(54), 54),
    "a reset within an emoji": (cut(38), 38),
    "half a character": (cut_in_a_character(11), 11),
    "half a character of three bytes": (cut_in_a_character(6), 6),
    "done without a finish_reason": (ends(20, with_done=True), 20),
    "an end without a finish_reason": (ends(20, with_done=False), 20),
    "done without a finish_reason after the last": (ends(60, with_done=True), 60),
    "an event that is no JSON": (garbled(20, b'data: {"choices": [{"ind\n\n'), 20),
    "an event that is no object": (garbled(20, b"data: 7\n\n"), 20),
    "an event that is no text": (garbled(20, b"data: \xff\xfe\n\n"), 20),
    "an oversized event": (garbled(20, b"data: " + b"x" * 9_000_000), 20),
    "an error event": (garbled(20, event({"error": {"message": "out of memory", "code": 500}})), 20),
}

#: What a client need not know of: nobody has to take over.
HARMLESS: dict[str, Fault] = {
    "every byte in a segment of its own": byte_by_byte,
    "a second role": second_role(20),
    "more text after the end": text_after_the_finish,
    "a cut after the finish_reason": cut_after_the_finish,
}


@in_every_way
async def test_an_answer_without_a_fault_stays_where_it_began(path: str, stream: bool) -> None:
    async with moving("a", "b") as home:
        got = await home.get(path, stream=stream)

        assert await home.handoffs(got.request_id) == []
        assert home.servers["b"].asked_to_write == []
    got.assert_whole()
    assert got.usage is not None
    assert got.usage["completion_tokens"] == len(TOKENS)
    assert got.comments == []


@in_every_way
@pytest.mark.parametrize("fault", FAULTS)
async def test_another_backend_goes_on_after_a_fault(fault: str, path: str, stream: bool) -> None:
    async with moving("a", "b") as home:
        clean = await home.get(path, stream=stream)
        told, at_tokens = FAULTS[fault]
        home.servers["a"].faults.append(told)
        got = await home.get(path, stream=stream)

        (move,) = await home.handoffs(got.request_id)
        counted = await home.counted(reason="fault", continuation=move["continuation"], result="completed")
        record = await home.find(got.request_id)
    got.assert_whole()
    assert got.usage == clean.usage
    assert (move["reason"], move["from"], move["to"]) == ("fault", "a", "b")
    assert "'a'" in move["why"]
    assert move["continuation"] == ("tokens" if path == CHAT else "prefill")
    assert (move["at_tokens"], move["at_chars"]) == (at_tokens, len("".join(TOKENS[:at_tokens])))
    assert (move["prepared"], move["result"]) == (False, "completed")
    assert move["stall_ms"] is not None
    assert counted == 1
    assert got.comments == ([f": handoff fault a -> b {move['continuation']}"] if stream else [])
    assert (record["outcome"], record["backend"], record["model"]) == ("completed", "b", "small")


@in_every_way
@pytest.mark.parametrize("harmless", HARMLESS)
async def test_what_is_harmless_moves_nothing(harmless: str, path: str, stream: bool) -> None:
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(HARMLESS[harmless])
        got = await home.get(path, stream=stream)

        assert await home.handoffs(got.request_id) == []
        assert home.servers["b"].asked_to_write == []
        assert (await home.find(got.request_id))["outcome"] == "completed"
    got.assert_whole()


@in_every_way
@pytest.mark.parametrize("answers", [cut_at_once, refused(503), refused(500)], ids=["a cut", "503", "500"])
async def test_an_answer_that_never_began_is_begun_elsewhere_and_has_not_moved(
    answers: Fault, path: str, stream: bool
) -> None:
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(answers)
        got = await home.get(path, stream=stream)
        record = await home.find(got.request_id)

    got.assert_whole()
    assert record["handoffs"] == []
    assert [failed["backend"] for failed in record["failed_attempts"]] == ["a"]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_an_answer_that_was_cut_after_its_role_is_begun_anew_with_nobodys_words_before_it(stream: bool) -> None:
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(0))
        got = await home.get(CHAT, stream=stream)

        (move,) = await home.handoffs(got.request_id)
        (request,) = home.servers["b"].asked_to_write
    got.assert_whole()
    assert (move["from"], move["to"], move["at_tokens"], move["at_chars"]) == ("a", "b", 0, 0)
    assert [turn["role"] for turn in request.body["messages"]] == ["user"]


@in_every_way
async def test_usage_that_nobody_told_is_not_that_of_a_part(path: str, stream: bool) -> None:
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(cut(40))
        home.servers["b"].faults.append(no_usage)
        got = await home.get(path, stream=stream)

    got.assert_whole()
    assert got.usage is None or got.usage["completion_tokens"] == len(TOKENS)


REFUSALS = ["400", "500", "503", "a cut"]

STALLS: dict[str, Callable[[Gate], Fault]] = {
    "after 20": lambda gate: silent(20, gate),
    "after the last": lambda gate: silent(60, gate),
}


@in_every_way
@pytest.mark.parametrize("stall", STALLS)
async def test_another_backend_goes_on_after_a_stall(stall: str, path: str, stream: bool) -> None:
    gate = Gate()
    async with moving("a", "b") as home:
        home.servers["a"].faults.append(STALLS[stall](gate))
        asking = asyncio.create_task(home.get(path, stream=stream))
        await _stalled(home, gate)
        got = await asking

        (move,) = await home.handoffs(got.request_id)
        await until(lambda: not home.open())
    got.assert_whole()
    assert (move["reason"], move["from"], move["to"], move["result"]) == ("fault", "a", "b", "completed")
    assert "stalled" in move["why"]


@in_every_way
@pytest.mark.parametrize("silence", [late, mute], ids=["no event", "no head"])
async def test_a_target_that_stalls_is_left_for_the_next(
    silence: Callable[[Gate], Fault], path: str, stream: bool
) -> None:
    gate = Gate()
    async with moving("a", "b", "c") as home:
        home.servers["a"].faults.append(cut(20))
        home.servers["b"].faults += [silence(gate)] * 9
        asking = asyncio.create_task(home.get(path, stream=stream))
        await _stalled(home, gate)
        got = await asking

        moves = await home.handoffs(got.request_id)
        await until(lambda: not home.open())
    got.assert_whole()
    assert moves[0]["from"] == "a"
    assert (moves[-1]["to"], moves[-1]["at_tokens"], moves[-1]["result"]) == ("c", 20, "completed")


@in_every_way
@pytest.mark.parametrize("answers", [refused(400), refused(500), refused(503), cut_at_once], ids=REFUSALS)
async def test_a_target_that_refuses_is_left_for_the_next(answers: Fault, path: str, stream: bool) -> None:
    async with moving("a", "b", "c") as home:
        home.servers["a"].faults.append(cut(20))
        home.servers["b"].faults += [answers] * 9
        got = await home.get(path, stream=stream)
        moves = await home.handoffs(got.request_id)

    got.assert_whole()
    assert (moves[-1]["to"], moves[-1]["result"]) == ("c", "completed")


@in_every_way
async def test_a_server_that_can_not_be_given_a_beginning_does_not_fail_the_answer(path: str, stream: bool) -> None:
    async with moving("a", "b", "c") as home:
        home.servers["a"].faults.append(cut(20))
        home.servers["b"].continues = False
        got = await home.get(path, stream=stream)

    got.assert_whole()


@pytest.mark.parametrize(("owner", "continuation"), [("vllm", "tokens"), ("sglang", "prefill"), ("them", "anchor")])
async def test_each_family_of_servers_goes_on_in_the_best_way_that_it_has(owner: str, continuation: str) -> None:
    async with moving("a", "b", owners={"b": owner}) as home:
        home.servers["a"].faults.append(cut(40))
        home.servers["b"].continues = owner != "them"
        got = await home.get(CHAT, stream=True)
        (move,) = await home.handoffs(got.request_id)

    got.assert_whole()
    assert move["continuation"] == continuation


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("at_tokens", [1, 15, 40, 60])
async def test_an_echo_of_what_was_written_is_not_told_twice(at_tokens: int, stream: bool) -> None:
    async with moving("a", "b", owners={"b": "sglang"}) as home:
        clean = await home.get(CHAT, stream=stream)
        home.servers["a"].faults.append(cut(at_tokens))
        home.servers["b"].echoes = True
        got = await home.get(CHAT, stream=stream)

    got.assert_whole()
    assert got.usage == clean.usage


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("owner", ["vllm", "sglang"])
async def test_a_word_that_is_begun_anew_is_not_told_twice(owner: str, stream: bool) -> None:
    async with moving("a", "b", owners={"b": owner}) as home:
        home.servers["a"].faults.append(cut(54))  # " mor", and "ning" is missing
        home.servers["b"].restarts_words = True
        got = await home.get(CHAT, stream=stream)

    got.assert_whole()


@in_every_way
async def test_an_answer_moves_on_when_its_second_backend_fails_too(path: str, stream: bool) -> None:
    async with moving("a", "b", "c") as home:
        clean = await home.get(path, stream=stream)
        home.servers["a"].faults.append(cut(20))
        home.servers["b"].faults.append(cut(10))
        got = await home.get(path, stream=stream)
        moves = await home.handoffs(got.request_id)

    got.assert_whole()
    assert got.usage == clean.usage
    assert [(move["from"], move["to"], move["at_tokens"]) for move in moves] == [("a", "b", 20), ("b", "c", 30)]
    assert moves[-1]["result"] == "completed"


@on_either_path
@pytest.mark.parametrize(
    ("max_moves", "tokens"), [(0, 5), (1, 10), (4, 25)], ids=["no move", "one move", "as many as by default"]
)
async def test_an_answer_moves_no_more_often_than_it_may(max_moves: int, tokens: int, path: str) -> None:
    patience = {**NO_PATIENCE, "max_moves": max_moves}
    async with moving("a", "b", "c", "d", "e", "f", handoff=patience) as home:
        for server in home.servers.values():
            server.faults.append(cut(5))
        streamed = Streamed(await home.ask(path, **asked(path, stream=True)))

        record = await home.find(streamed.response.headers["x-request-id"])
        written = sum(len(server.asked_to_write) for server in home.servers.values())
    assert_one_answer(streamed, complete=False)
    assert streamed.text == "".join(TOKENS[:tokens])
    assert len(record["handoffs"]) <= max_moves
    assert written == max_moves + 1
    assert record["outcome"] == "broken"


@on_either_path
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_stream_that_nothing_can_go_on_with_ends_with_an_error_and_keeps_what_was_written(
    fault: str, path: str
) -> None:
    async with moving("a", handoff=NO_PATIENCE) as home:
        told, at_tokens = FAULTS[fault]
        home.servers["a"].faults += [told] * 9
        streamed = Streamed(await home.ask(path, **asked(path, stream=True)))

        record = await home.find(streamed.response.headers["x-request-id"])
    assert_one_answer(streamed, complete=False)
    assert streamed.text == "".join(TOKENS[:at_tokens])
    assert record["outcome"] == "broken"
    assert record["error"]


@on_either_path
async def test_an_answer_that_nothing_can_go_on_with_is_502_for_whoever_did_not_ask_for_a_stream(path: str) -> None:
    async with moving("a", handoff=NO_PATIENCE) as home:
        home.servers["a"].faults.append(cut(20))
        response = await home.ask(path, **asked(path, stream=False))

    assert error_of(response, 502)["code"] == "backend_failed"
    assert response.headers["x-should-retry"] == "false"


@in_every_way
async def test_an_answer_waits_until_somebody_can_go_on_with_it(path: str, stream: bool) -> None:
    async with moving("a", "b") as home:
        target = home.servers["b"]
        home.servers["a"].faults.append(cut(20))
        target.script = lambda _: Json({"error": "loading"}, 503)
        before = len(target.requests)
        asking = asyncio.create_task(home.get(path, stream=stream))
        await target.asked(before + 1)
        home.servers["a"].script = target.script
        await turns()
        target.script = None
        got = await asking

    got.assert_whole()


async def _stalled(home: Moving, gate: Gate) -> None:
    """Whoever is silent now has been so for longer than it may."""
    async with asyncio.timeout(5):
        await gate.reached.wait()
    await turns()
    home.clock.advance(61)
