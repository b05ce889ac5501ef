"""A streamed answer is judged while it is written: what was doubted in time is never seen, what comes later goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.contract.doubt import DOUBTFUL, FALSE, LITTLE, SURE, TRUE, WATCHED, Doubting, Heard, doubting
from tests.contract.handoff import Reader, asked, on_either_path, turns
from tests.fakes.answers import RESET
from tests.fakes.clock import FakeClock
from tests.fakes.openai_server import PROMPT_TOKENS
from tests.fakes.telling_server import TellingServer
from tests.routers.running import ASKED, CHAT, COMPLETE, until

pytestmark = pytest.mark.anyio

HOLD, WATCH, BUFFER = ({**WATCHED, "mode": mode} for mode in ("hold", "watch", "buffer"))

#: Two good sentences; from the third on it is lost, which shows once a whole look's tokens were read.
GOOD = ("One", " two", " three", " four", " five", " six", " seven", ".", " Eight", " nine", " ten", " eleven", ".")
LOST = (*(" and", " er"), *(f" so{number}" for number in range(40)), ".")
REST = (" Then", " it", " ends", " well", ".")
LONG = (*GOOD, *LOST)
COLLAPSE = [SURE] * len(GOOD) + [-8.0]


def collapses(home: Doubting) -> TellingServer:
    """The small model loses its way amid its answer; the larger one goes on."""
    tiny = home.servers["tiny"]
    tiny.words, tiny.sure = LONG, COLLAPSE
    home.servers["big"].rest = REST
    return tiny


def body(path: str = CHAT, **changes: Any) -> dict[str, Any]:
    return {**ASKED[path], "model": "fast", **asked(path, stream=True), **changes}


class Reading:
    """A streamed answer that is read as it comes, in a task of its own."""

    def __init__(self, home: Doubting, path: str = CHAT, **changes: Any) -> None:
        self._came = b""
        self._head: asyncio.Future[Reader] = asyncio.get_running_loop().create_future()
        self._leave = asyncio.Event()
        self.task = asyncio.create_task(self._read(home, body(path, **changes), path))

    async def _read(self, home: Doubting, asked_for: dict[str, Any], path: str) -> None:
        async with home.gateway.client.stream("POST", path, json=asked_for) as response:
            reader = Reader(response)
            self._head.set_result(reader)
            reading = asyncio.create_task(self._all(reader))
            leaving = asyncio.create_task(self._leave.wait())
            await asyncio.wait((reading, leaving), return_when=asyncio.FIRST_COMPLETED)
            for each in (reading, leaving):
                each.cancel()

    async def _all(self, reader: Reader) -> None:
        await reader.rest()

    @property
    def began(self) -> bool:
        """Whether the head has come."""
        return self._head.done()

    @property
    def text(self) -> str:
        """What has come of it."""
        return self._head.result().answer.text if self.began else ""

    @property
    def request_id(self) -> str:
        return self._head.result().request_id

    async def rest(self) -> str:
        async with asyncio.timeout(10):
            await self.task
        return self.text

    async def leave(self) -> None:
        """The client goes."""
        self._leave.set()
        if not self.began:
            self.task.cancel()
        await asyncio.wait((self.task,))


# --- hold


@on_either_path
async def test_hold_shows_nothing_of_what_it_doubts(path: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, policy=HOLD) as home:
        got = await home.get(path, stream=True)

    got.assert_is("big")
    assert "x-confidence" not in got.headers
    assert got.headers["x-attempts"] == "2"
    assert got.attempts[0]["tokens"] == 8
    assert got.attempts[0]["by"] == "begun"


@on_either_path
async def test_hold_lets_a_good_answer_through_whole_and_in_order(path: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, policy=HOLD) as home:
        tiny = home.servers["tiny"]
        tiny.sure, tiny.words = [SURE], tuple(f" {number}" for number in range(300))
        got = await home.get(path, stream=True, max_tokens=400)

    got.assert_says(tiny.words, "tiny-1b")
    assert got.record["handoffs"] == []


@pytest.mark.parametrize("hold_tokens", [1, 4, 8])
async def test_hold_waits_for_no_more_than_its_tokens(hold_tokens: int, tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with doubting(tmp_path, policy={**HOLD, "hold_tokens": hold_tokens}) as home:
        home.servers["tiny"].sure = [SURE]
        home.servers["tiny"].gates = {hold_tokens + 1: gate}
        reading = Reading(home)
        await until(lambda: reading.began and reading.text != "")
        gate.set()
        assert await reading.rest() == "".join(FALSE)


async def test_hold_keeps_back_what_is_not_judged_yet(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with doubting(tmp_path, policy=HOLD) as home:
        home.servers["tiny"].sure = [SURE]
        home.servers["tiny"].gates = {5: gate}
        reading = Reading(home)
        await home.servers["tiny"].asked(2)
        await turns(200)
        assert not reading.began
        gate.set()
        assert await reading.rest() == "".join(FALSE)


async def test_hold_keeps_nothing_back_for_longer_than_it_may(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with doubting(tmp_path, policy={**HOLD, "hold_seconds": 0.05}, clock=Flowing()) as home:
        home.servers["tiny"].sure = [SURE]
        home.servers["tiny"].gates = {5: gate}
        reading = Reading(home)
        await until(lambda: reading.began and reading.text == "".join(FALSE[:5]))
        gate.set()
        assert await reading.rest() == "".join(FALSE)


class Flowing(FakeClock):
    """Goes a hundredth of a second further with every look at it."""

    def __call__(self) -> float:
        self.advance(0.01)
        return super().__call__()


@pytest.mark.parametrize("mode", ["hold", "watch"])
@on_either_path
async def test_a_later_collapse_is_gone_on_with_by_the_larger_model(path: str, mode: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, policy={**HOLD, "mode": mode}) as home:
        collapses(home)
        got = await home.get(path, stream=True)
        (kept,) = home.servers["big"].given_to_go_on
        counted = await home.counted("isotherm_handoffs_total", reason="doubt", result="completed")

        assert home.busy() == 0
        assert not home.gateway.gateway.lanes["big"].silent  # token ids leave no room for our wish: no fault of its own
    assert kept
    assert "".join(LONG).startswith(kept)
    assert kept.startswith("".join(GOOD))
    assert got.text == kept + "".join(REST)
    assert got.finish_reasons == ["stop"]
    assert got.results == [("tiny", "doubted"), ("big", "accepted")]
    (move,) = got.record["handoffs"]
    assert (move["reason"], move["from"], move["to"], move["result"]) == ("doubt", "tiny", "big", "completed")
    assert move["at_chars"] == len(kept)
    assert "0.7 is wanted" in move["why"]
    assert got.streamed.comments == [f": handoff doubt tiny -> big {move['continuation']}"]
    assert counted == 1
    assert got.usage is not None
    assert got.usage["prompt_tokens"] + got.usage["completion_tokens"] == got.usage["total_tokens"]
    assert got.usage["completion_tokens"] == move["at_tokens"] + len(REST)
    assert got.usage["prompt_tokens"] == PROMPT_TOKENS


@pytest.mark.parametrize(("hold_tokens", "kept"), [(8, 12), (16, 0)], ids=["some was sent", "nothing was sent"])
async def test_hold_takes_back_what_it_holds_after_the_last_whole_sentence(
    hold_tokens: int, kept: int, tmp_path: Path
) -> None:
    """Doubt rises at the sixteenth token; eight that are held hold the end of a sentence, sixteen are all of it."""
    words = (*GOOD[:8], *(" a", " b", " c", " d."), *(f" so{number}" for number in range(40)))
    async with doubting(tmp_path, policy={**HOLD, "hold_tokens": hold_tokens}) as home:
        tiny = home.servers["tiny"]
        tiny.words, tiny.sure = words, [SURE] * 12 + [-20.0]
        home.servers["big"].rest = REST
        got = await home.get(stream=True)
        given = home.servers["big"].given_to_go_on

    assert got.attempts[0]["tokens"] == 16
    assert given == ["".join(words[:kept])]
    assert got.text == "".join((*words[:kept], *REST) if kept else TRUE)


# --- watch


async def test_watch_keeps_nothing_back(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with doubting(tmp_path, policy=WATCH) as home:
        home.servers["tiny"].sure = [SURE]
        home.servers["tiny"].gates = {1: gate}
        reading = Reading(home)
        await until(lambda: reading.began and reading.text == FALSE[0])
        gate.set()
        assert await reading.rest() == "".join(FALSE)


@on_either_path
async def test_watch_goes_on_from_exactly_what_was_sent(path: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, policy=WATCH) as home:
        home.servers["tiny"].words = words = tuple(f" {number}" for number in range(30))
        home.servers["big"].rest = REST
        got = await home.get(path, stream=True)
        (given,) = home.servers["big"].given_to_go_on

    assert given == "".join(words[: got.record["handoffs"][0]["at_tokens"]])
    assert got.text == given + "".join(REST)


async def test_watch_leaves_an_answer_that_was_all_sent_before_it_was_doubted(tmp_path: Path) -> None:
    async with doubting(tmp_path, policy=WATCH) as home:
        home.servers["tiny"].words = FALSE[:5]
        got = await home.get(stream=True)

        assert home.asked_to_write() == [1, 0]
    got.assert_says(FALSE[:5], "tiny-1b")
    assert got.results == [("tiny", "best")]


# --- buffer


@on_either_path
@pytest.mark.parametrize("words", [FALSE, FALSE[:5]], ids=["doubted early", "doubted at its end"])
async def test_buffer_shows_nothing_but_the_larger_models_answer(
    words: tuple[str, ...], path: str, tmp_path: Path
) -> None:
    async with doubting(tmp_path, policy=BUFFER) as home:
        home.servers["tiny"].words = words
        got = await home.get(path, stream=True)

    got.assert_is("big")
    assert got.headers["x-backend-used"] == "big"
    assert got.headers["x-attempts"] == "2"
    assert got.record["handoffs"] == [] or words is FALSE


async def test_buffer_sends_nothing_before_all_is_judged(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with doubting(tmp_path, policy=BUFFER) as home:
        home.servers["tiny"].sure = [SURE]
        home.servers["tiny"].gates = {len(FALSE): gate}
        reading = Reading(home)
        await home.servers["tiny"].asked(2)
        await turns(300)
        assert not reading.began
        gate.set()
        assert await reading.rest() == "".join(FALSE)


@on_either_path
async def test_buffer_of_a_collapse_begins_anew(path: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, policy=BUFFER) as home:
        collapses(home)
        got = await home.get(path, stream=True)

    got.assert_is("big")


# --- all of them

modes = pytest.mark.parametrize("mode", ["hold", "watch", "buffer"])


@modes
async def test_json_by_a_schema_is_not_cut_in_the_middle(mode: str, tmp_path: Path) -> None:
    words = ('{"', "city", '": "', *["Ber", "lin"] * 20, '"}')
    async with doubting(tmp_path, policy={**HOLD, "mode": mode}) as home:
        tiny, big = home.servers["tiny"], home.servers["big"]
        tiny.words, tiny.sure = words, [SURE] * 20 + [-8.0]
        big.words = ('{"city": "Bern"}',)
        got = await home.get(stream=True, response_format={"type": "json_object"})

    assert all(given == "" for given in big.given_to_go_on)
    got.assert_says(*((big.words, "big-8b") if mode == "buffer" else (words, "tiny-1b")))


@modes
async def test_an_answer_that_may_still_become_good_enough_is_heard_to_its_end(mode: str, tmp_path: Path) -> None:
    """Then it is another one's where nobody has seen it yet."""
    async with doubting(tmp_path, policy={**HOLD, "mode": mode}) as home:
        tiny = home.servers["tiny"]
        tiny.words, tiny.sure = LONG, [DOUBTFUL]
        got = await home.get(stream=True)

    first = got.attempts[0]
    assert (first["backend"], first["by"], first["tokens"]) == ("tiny", "whole", len(LONG))
    assert first["confidence"] == pytest.approx(LITTLE)
    if mode == "buffer":
        got.assert_is("big")
        assert got.results == [("tiny", "doubted"), ("big", "accepted")]
    else:
        got.assert_says(LONG, "tiny-1b")
        assert got.results == [("tiny", "best")]
    assert got.record["handoffs"] == []


async def test_by_default_sixteen_tokens_are_held_before_the_first_look(tmp_path: Path) -> None:
    async with doubting(tmp_path, policy={"min_confidence": 0.7}) as home:
        home.servers["tiny"].words = LONG
        got = await home.get(stream=True)

    got.assert_is("big")
    assert [each["tokens"] for each in got.attempts] == [16, len(TRUE)]
    assert got.attempts[0]["by"] == "begun"


@modes
async def test_a_doubted_answer_is_anothers_even_when_that_one_is_all_of_it(mode: str, tmp_path: Path) -> None:
    """With usage, with one end, and with nothing that was not asked for."""
    async with doubting(tmp_path, policy={**HOLD, "mode": mode}) as home:
        got = await home.get(stream=True)

    assert got.logprobs == []
    assert got.results[0] == ("tiny", "doubted")
    assert got.usage is not None


@modes
@pytest.mark.parametrize("words", [0, 3])
async def test_a_client_that_leaves_while_it_is_held_leaves_nothing_running(
    mode: str, words: int, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    async with doubting(tmp_path, policy={**HOLD, "mode": mode}) as home:
        tiny = home.servers["tiny"]
        tiny.gates = {words: gate}
        reading = Reading(home)
        await tiny.asked(2)
        await turns(100)
        home.gateway.gateway.relay.mover.watchman.look(home.clock())  # from now on it listens for its leaving
        await turns()
        await reading.leave()
        await until(lambda: home.busy() == 0 and not home.gateway.gateway.relay.mover.courses)
        await tiny.client_left.wait()

        assert home.asked_to_write() == [1, 0]


@modes
async def test_a_client_that_leaves_while_another_is_asked_leaves_nothing_running(mode: str, tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with doubting(tmp_path, policy={**HOLD, "mode": mode}) as home:
        tiny, big = home.servers["tiny"], home.servers["big"]
        tiny.words = (*FALSE, *FALSE, *FALSE)
        big.gates, big.rest = {0: gate}, REST
        reading = Reading(home)
        await until(lambda: len(big.asked_to_write) == 1)
        await turns(100)
        home.gateway.gateway.relay.mover.watchman.look(home.clock())
        await turns()
        await reading.leave()
        await until(lambda: home.busy() == 0 and not home.gateway.gateway.relay.mover.courses)
        await big.client_left.wait()

    assert not gate.is_set()


@pytest.mark.parametrize("mode", ["hold", "watch"])
async def test_an_answer_that_may_not_move_is_written_on_by_whom_it_was_begun(mode: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, policy={**HOLD, "mode": mode}, handoff={"max_moves": 0}) as home:
        collapses(home)
        got = await home.get(stream=True)

        assert home.asked_to_write() == [1, 0]
    got.assert_says(LONG, "tiny-1b")
    assert got.results == [("tiny", "best")]


@pytest.mark.parametrize("mode", ["hold", "watch"])
@pytest.mark.parametrize("broken", ["rejects", "breaks off at once"])
async def test_where_the_larger_model_can_not_go_on_the_small_one_does(broken: str, mode: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, policy={**HOLD, "mode": mode}) as home:
        tiny, big = collapses(home), home.servers["big"]
        tiny.rest = REST
        big.rejecting = broken == "rejects"
        big.faults.extend([(-1, RESET)] * 9)
        got = await home.get(stream=True)

        assert home.busy() == 0
    assert got.record["outcome"] == "completed"
    assert got.text == "".join(LONG)
    assert got.finish_reasons == ["stop"]


@pytest.mark.parametrize("mode", ["hold", "watch"])
async def test_a_larger_model_that_breaks_off_amid_its_part_is_gone_on_with(mode: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, policy={**HOLD, "mode": mode}) as home:
        collapses(home)
        home.servers["big"].faults.append((2, RESET))
        home.servers["big"].rest = REST
        got = await home.get(stream=True)
        first = home.servers["big"].given_to_go_on[0]

        assert home.busy() == 0
    assert got.text.startswith(first + "".join(REST[:2]))
    assert got.record["outcome"] == "completed"
    assert [move["reason"] for move in got.record["handoffs"]] == ["doubt", "fault"]


async def test_nothing_of_two_answers_is_mixed_up(tmp_path: Path) -> None:
    """Several at once: each client has the events of one answer alone."""
    async with doubting(tmp_path, policy=HOLD) as home:
        heard: list[Heard] = await asyncio.gather(*(home.get(path, stream=True) for path in (CHAT, COMPLETE) * 4))

        assert home.busy() == 0
    for got in heard:
        got.assert_is("big")
