"""Whatever a backend tells of its tokens, and whatever is wrong with a calibration: the client gets its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.contract.doubt import (
    FALSE,
    LIKELY,
    SURE,
    Heard,
    calibration,
    doubting,
)
from tests.contract.handoff import in_every_way
from tests.fakes.answers import Answer, Stream
from tests.fakes.telling_server import Distort
from tests.fakes.wire import Request
from tests.routers.running import logged

pytestmark = pytest.mark.anyio


def every_logprob(value: Any) -> Distort:
    """The log-probability of every token, in either shape."""

    def distort(_: int, told: Any) -> Any:
        if "content" in told:
            return {**told, "content": [{**each, "logprob": value} for each in told["content"]]}
        return {**told, "token_logprobs": [value] * len(told["token_logprobs"])}

    return distort


def every_top(value: Any) -> Distort:
    """What is told of the most likely tokens, in either shape."""

    def distort(_: int, told: Any) -> Any:
        if "content" in told:
            return {**told, "content": [{**each, "top_logprobs": value} for each in told["content"]]}
        return {**told, "top_logprobs": value}

    return distort


def every_top_logprob(value: Any) -> Distort:
    def distort(_: int, told: Any) -> Any:
        if "content" in told:
            top = [{"token": "a", "logprob": value, "bytes": None}, {"token": "b", "logprob": value, "bytes": None}]
            return {**told, "content": [{**each, "top_logprobs": top} for each in told["content"]]}
        return {**told, "top_logprobs": [{"a": value, "b": value}]}

    return distort


def instead(value: Any) -> Distort:
    return lambda *_: value


def without(name: str) -> Distort:
    def distort(_: int, told: Any) -> Any:
        if "content" in told:
            return {**told, "content": [{k: v for k, v in each.items() if k != name} for each in told["content"]]}
        return {k: v for k, v in told.items() if k != {"logprob": "token_logprobs"}.get(name, name)}

    return distort


def only_for(places: Callable[[int], bool]) -> Distort:
    return lambda place, told: told if places(place) else None


#: What a backend tells instead of a log-probability for each token.
SPOILT: dict[str, Distort] = {
    "null": every_logprob(None),
    "NaN as a string": every_logprob("NaN"),
    "-inf as a string": every_logprob("-inf"),
    "a word": every_logprob("sure"),
    "positive": every_logprob(2.5),
    "very positive": every_logprob(1e308),
    "a list": every_logprob([-0.1]),
    "an object": every_logprob({"logprob": -0.1}),
    "no log-probabilities": instead(None),
    "an empty list": instead([]),
    "an empty object": instead({}),
    "a number": instead(-0.1),
    "true": instead(True),
    "a string": instead("-0.1"),
    "a list of numbers": instead([-0.1]),
    "content that is no list": instead({"content": "-0.1"}),
    "content of null": instead({"content": None}),
    "content of nothing": instead({"content": []}),
    "content of numbers": instead({"content": [-0.1]}),
    "content of null each": instead({"content": [None]}),
    "legacy that is no list": instead({"token_logprobs": -0.1}),
    "legacy of objects": instead({"token_logprobs": [{}]}),
    "missing": without("logprob"),
}

#: What is odd beside a log-probability that can be read.
ODD: dict[str, Distort] = {
    "a very small number": every_logprob(-9999.0),
    "the smallest number": every_logprob(-1.7e308),
    "a whole number": every_logprob(-4),
    "no top": without("top_logprobs"),
    "top of null": every_top(None),
    "top of nothing": every_top([]),
    "top of null each": every_top_logprob(None),
    "top of words": every_top_logprob("a"),
    "top of very small numbers": every_top_logprob(-9999.0),
    "top that is positive": every_top_logprob(5.0),
    "top that is very positive": every_top_logprob(1e6),
}


def in_full(got: Heard, name: str) -> None:
    got.assert_is(name)
    assert got.logprobs == []
    assert got.record["outcome"] == "completed"


@in_every_way
@pytest.mark.parametrize("how", SPOILT)
async def test_what_is_no_log_probability_counts_as_not_told(how: str, path: str, stream: bool, tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        home.servers["tiny"].distort = SPOILT[how]
        got = await home.get(path, stream=stream)

        assert home.asked_to_write() == [1, 0]
    in_full(got, "tiny")
    (attempt,) = got.attempts
    assert (attempt["result"], attempt["by"]) == ("accepted", "prior")
    assert len(attempt["notes"]) == 1
    assert "log-probabilities" in attempt["notes"][0]
    assert not any(name.startswith(("logprob", "entropy", "margin", "group")) for name in attempt["signals"])


@in_every_way
@pytest.mark.parametrize("how", ODD)
async def test_what_is_odd_beside_a_log_probability_does_not_keep_an_answer_from_being_judged(
    how: str, path: str, stream: bool, tmp_path: Path
) -> None:
    async with doubting(tmp_path) as home:
        home.servers["tiny"].distort = ODD[how]
        got = await home.get(path, stream=stream)

        assert home.busy() == 0
    in_full(got, "big")
    assert got.results == [("tiny", "doubted"), ("big", "accepted")]
    assert all(isinstance(value, float | int) for value in got.attempts[0]["signals"].values())


@in_every_way
@pytest.mark.parametrize(
    ("name", "told"), [("every second", lambda at: at % 2 == 0), ("the first", lambda at: at == 0)]
)
async def test_what_is_told_of_some_tokens_only_is_noted(
    name: str, told: Callable[[int], bool], path: str, stream: bool, tmp_path: Path
) -> None:
    async with doubting(tmp_path) as home:
        home.servers["tiny"].sure = [SURE]
        home.servers["tiny"].distort = only_for(told)
        got = await home.get(path, stream=stream)

    in_full(got, "tiny")
    (attempt,) = got.attempts
    untold = len(FALSE) - sum(map(told, range(len(FALSE))))
    assert attempt["notes"] == [f"log-probabilities of {untold} tokens were not told"], name
    assert attempt["confidence"] == pytest.approx(LIKELY)


def of_the_wrong_length(_: int, told: Any) -> Any:
    if "content" in told:
        return {**told, "content": told["content"] * 3}
    return {**told, "token_logprobs": told["token_logprobs"] * 3}


@in_every_way
async def test_more_log_probabilities_than_words_are_as_good(path: str, stream: bool, tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        home.servers["tiny"].distort = of_the_wrong_length
        got = await home.get(path, stream=stream)

    in_full(got, "big")
    assert got.results[0] == ("tiny", "doubted")


@in_every_way
@pytest.mark.parametrize("literal", [b"NaN", b"-Infinity"])
async def test_numbers_that_are_none_in_json_do_not_reach_the_client(
    literal: bytes, path: str, stream: bool, tmp_path: Path
) -> None:
    """Servers in Python write them so."""
    async with doubting(tmp_path) as home:
        tiny = home.servers["tiny"]
        tiny.distort = every_logprob(-77.5)

        def answer(request: Request) -> Answer:
            if not request.path.endswith("/completions"):
                return tiny.answer(request)
            return Stream([piece.replace(b"-77.5", literal) for piece in tiny.pieces(request)], apart=True)

        tiny.script = answer
        got = await home.get(path, stream=stream)

    in_full(got, "tiny")
    assert got.attempts[0]["by"] == "prior"


@in_every_way
@pytest.mark.parametrize(
    "words", [(" ",), ("\n", "\n", " \t"), ("\u00a0",), (" ",) * 50], ids=["one", "few", "hard", "many"]
)
async def test_white_space_alone_is_no_answer(words: tuple[str, ...], path: str, stream: bool, tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        home.servers["tiny"].words, home.servers["tiny"].sure = words, [SURE]
        got = await home.get(path, stream=stream, headers={"X-Judging-Mode": "buffer"})

    in_full(got, "big")
    assert got.results == [("tiny", "doubted"), ("big", "accepted")]


async def test_no_word_at_all_is_no_answer(tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        home.servers["tiny"].words = ()
        got = await home.get()

    in_full(got, "big")


VERSION_NINE = b'{"version": 9, "fits": [], "defects": {}, "priors": {}}'
DAMAGED: dict[str, tuple[bytes | None, str]] = {
    "another version": (VERSION_NINE, "it is of version 9, not 1"),
    "broken JSON": (b'{"version": 1, "fits": [', "it is no calibration"),
    "no text": (b"\xff\xfe\x00", "it is no calibration"),
    "empty": (b"", "it is no calibration"),
    "a list": (b"[1, 2]", "it is no calibration"),
    "no fits": (b'{"version": 1}', "it makes no sense"),
    "a scale of nothing": (
        json.dumps(
            {
                "version": 1,
                "fits": [
                    {
                        "name": "a",
                        "features": {"logprob_mean": {"weight": 1, "mean": 0, "scale": 0}},
                        "intercept": 0,
                        "curve": {"scores": [], "probabilities": []},
                        "models": ["*"],
                        "workloads": ["*"],
                        "beginnings": False,
                        "labels": 1,
                    }
                ],
                "defects": {},
                "priors": {},
            }
        ).encode(),
        "it makes no sense",
    ),
    "missing": (None, "No such file or directory"),
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_calibration_that_can_not_be_used_is_told_of_and_answers_work(
    damage: str, stream: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content, why = DAMAGED[damage]
    file = tmp_path / "mine.json"
    if content is not None:
        file.write_bytes(content)
    policies = {"calibration": file, "estimates": "always"}
    async with doubting(tmp_path, policy=None, confidence=policies) as home:
        got = await home.get(stream=stream)

    in_full(got, "tiny")
    (note, *_) = got.attempts[0]["notes"]
    assert note.startswith("the calibration mine.json is not used: ")
    assert why in note
    assert note in logged(caplog)
    assert str(tmp_path) not in note


async def test_a_calibration_that_can_be_used_needs_no_note(tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        got = await home.get()

    assert [each["notes"] for each in got.attempts] == [[], []]
    assert orjson.loads(calibration(tmp_path).read_bytes())["version"] == 1


async def test_a_reload_with_a_broken_calibration_keeps_answering(tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        before = await home.get()
        (tmp_path / "calibration.json").write_text("{")
        after = await home.get()

    assert before.results == after.results == [("tiny", "doubted"), ("big", "accepted")]


async def test_an_error_in_the_middle_of_a_judged_answer_is_mended_as_any_other(tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        home.servers["tiny"].sure = [SURE]
        tiny, home.servers["big"].rest = home.servers["tiny"], (" and", " so", " on", ".")

        def answer(request: Request) -> Answer:
            if not request.path.endswith("/completions"):
                return tiny.answer(request)
            return Stream([*tiny.pieces(request)[:4], b'data: {"error": {"message": "no"}}\n\n'], apart=True)

        tiny.script = answer
        got = await home.get(stream=True)

        assert home.busy() == 0
    assert got.text == "".join(FALSE[:3]) + " and so on."
    assert [move["reason"] for move in got.record["handoffs"]] == ["fault"]
    assert got.results == [("big", "accepted")]
