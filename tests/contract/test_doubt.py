"""An answer that is not likely right is asked of a larger model, and nobody sees the first one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.doubt import (
    FALSE,
    LIKELY,
    MODELS,
    SURE,
    TRUE,
    UNLIKELY,
    UNSURE,
    WATCHED,
    doubting,
)
from tests.contract.handoff import in_every_way
from tests.routers.running import CHAT, COMPLETE, EMBED, HELLO

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
BY_SCHEMA = {"type": "json_schema", "json_schema": {"name": "place", "strict": True, "schema": SCHEMA}}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@in_every_way
async def test_a_doubted_answer_is_asked_of_the_larger_model(path: str, stream: bool, tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        got = await home.get(path, stream=stream)

        assert home.asked_to_write() == [1, 1]
        assert home.busy() == 0
        taken = await home.counted("isotherm_forwardings_total", source="tiny", target="big", result="taken")
        judged = [await home.counted("isotherm_confidence_count", backend=name) for name in ("tiny", "big")]
    got.assert_is("big")
    assert got.headers["x-backend-used"] == "big"
    assert got.results == [("tiny", "doubted"), ("big", "accepted")]
    assert got.headers["x-attempts"] == "2"
    assert (got.record["outcome"], got.record["backend"], got.record["model"]) == ("completed", "big", "big-8b")
    assert taken == 1
    assert judged == [1, 1]


@pytest.mark.parametrize("path", [CHAT, COMPLETE])
async def test_a_whole_answer_says_how_likely_it_is_right(path: str, tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        got = await home.get(path)

    doubted, accepted = got.attempts
    assert float(got.headers["x-confidence"]) == pytest.approx(LIKELY) == accepted["confidence"]
    assert doubted["confidence"] == pytest.approx(UNLIKELY)
    assert doubted["signals"]["logprob_mean"] == pytest.approx(UNSURE)
    assert (doubted["by"], doubted["tokens"], doubted["notes"]) == ("begun", 8, [])  # no need to hear it to its end
    assert accepted["by"] == "whole"
    assert accepted["signals"]["logprob_mean"] == pytest.approx(SURE)
    assert accepted["tokens"] == len(TRUE)
    assert {"entropy_mean", "margin_min", "group_min", "log_chars"} <= accepted["signals"].keys()


@in_every_way
async def test_every_option_of_the_request_reaches_the_larger_model(path: str, stream: bool, tmp_path: Path) -> None:
    told = {"temperature": 0.3, "stop": ["\n\n"], "seed": 7, "top_k": 3, "max_tokens": 50, "top_p": 0.9}
    more: dict[str, Any] = {"tools": [WEATHER], "tool_choice": "auto", "response_format": {"type": "text"}}
    given = {**told, **(more if path == CHAT else {})}
    async with doubting(tmp_path) as home:
        await home.get(path, stream=stream, **given)
        first, second = (home.servers[name].asked_to_write[0].body for name in ("tiny", "big"))

    assert {name: second[name] for name in given} == given
    assert {**first, "model": ""} == {**second, "model": ""}
    assert (first["model"], second["model"]) == ("tiny-1b", "big-8b")


@in_every_way
async def test_log_probabilities_that_nobody_asked_for_are_not_told(path: str, stream: bool, tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        asked_of_both = await home.get(path, stream=stream)
        home.servers["tiny"].sure = [SURE]
        asked_of_one = await home.get(path, stream=stream)
        bodies = [request.body for server in home.servers.values() for request in server.asked_to_write]

    assert all(body["logprobs"] for body in bodies)
    assert asked_of_both.logprobs == asked_of_one.logprobs == []


@in_every_way
async def test_log_probabilities_that_the_client_asked_for_are_told_as_they_were_asked_for(
    path: str, stream: bool, tmp_path: Path
) -> None:
    wish: dict[str, Any] = {"logprobs": True, "top_logprobs": 2} if path == CHAT else {"logprobs": 2}
    async with doubting(tmp_path) as home:
        got = await home.get(path, stream=stream, **wish)
        body = home.servers["big"].asked_to_write[0].body

    assert {name: body[name] for name in wish} == wish
    assert got.results == [("tiny", "doubted"), ("big", "accepted")]
    if path == CHAT:
        tokens = [token for each in got.logprobs for token in each["content"]]
        assert [token["token"] for token in tokens] == list(TRUE)
        assert {token["logprob"] for token in tokens} == {SURE}
        assert {len(token["top_logprobs"]) for token in tokens} == {2}
    else:
        assert [token for each in got.logprobs for token in each["tokens"]] == list(TRUE)
        assert {len(top) for each in got.logprobs for top in each["top_logprobs"]} == {2}


@in_every_way
@pytest.mark.parametrize("words", [("Canberra",), ("42",), FALSE, ("Yes", ".")])
async def test_a_good_answer_stays_as_it_is_however_short(
    words: tuple[str, ...], path: str, stream: bool, tmp_path: Path
) -> None:
    async with doubting(tmp_path) as home:
        tiny = home.servers["tiny"]
        tiny.words, tiny.sure = words, [SURE]
        got = await home.get(path, stream=stream)

        assert home.asked_to_write() == [1, 0]
    got.assert_says(words, "tiny-1b")
    assert got.results == [("tiny", "accepted")]
    assert got.headers["x-backend-used"] == "tiny"


async def test_a_good_whole_answer_has_one_attempt_and_its_confidence(tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        home.servers["tiny"].sure = [SURE]
        got = await home.get()

    assert got.headers["x-attempts"] == "1"
    assert float(got.headers["x-confidence"]) == pytest.approx(LIKELY)


@pytest.mark.parametrize("policies", [{}, {"other": WATCHED}, {"fast": {"min_confidence": None}}, {"fas": WATCHED}])
@pytest.mark.parametrize("stream", [True, False])
async def test_without_a_policy_for_its_name_nothing_happens(
    policies: dict[str, Any], stream: bool, tmp_path: Path
) -> None:
    async with doubting(tmp_path, confidence={"forwarding": policies}) as home:
        got = await home.get(stream=stream)

        assert home.asked_to_write() == [1, 0]
        assert "logprobs" not in home.servers["tiny"].asked_to_write[0].body
    got.assert_is("tiny")
    assert got.attempts == []
    assert "x-confidence" not in got.headers
    assert "x-attempts" not in got.headers


@pytest.mark.parametrize("name", ["fast", "fas?", "f*", "*", "[ef]ast"])
async def test_a_policy_is_for_a_glob_of_the_name_that_was_asked_for(name: str, tmp_path: Path) -> None:
    async with doubting(tmp_path, confidence={"forwarding": {name: WATCHED}}) as home:
        (await home.get()).assert_is("big")


async def test_the_first_policy_that_fits_counts(tmp_path: Path) -> None:
    policies = {"f*": {"min_confidence": 0.05}, "fast": WATCHED}
    async with doubting(tmp_path, confidence={"forwarding": policies}) as home:
        (await home.get()).assert_is("tiny")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_request_may_ask_for_an_answer_that_is_likely_right(stream: bool, tmp_path: Path) -> None:
    async with doubting(tmp_path, policy=None) as home:
        indifferent = await home.get(stream=stream)
        content_with_little = await home.get(stream=stream, headers={"X-Min-Confidence": "0.05"})
        choosy = await home.get(stream=stream, headers={"X-Min-Confidence": "0.7"})

    assert (indifferent.results, content_with_little.results) == ([], [("tiny", "accepted")])
    assert choosy.results == [("tiny", "doubted"), ("big", "accepted")]
    choosy.assert_is("big")


async def test_a_request_may_ask_for_less_than_the_policy(tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        got = await home.get(headers={"X-Min-Confidence": "0"})

    got.assert_is("tiny")
    assert float(got.headers["x-confidence"]) == pytest.approx(UNLIKELY)


MANAGED = "tests.fakes.managed:Managed"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("estimates", "managed", "told"),
    [
        (None, True, True),
        *((None, False, False), ("local", True, True), ("local", False, False)),
        *(("always", True, True), ("always", False, True), ("never", True, False), ("never", False, False)),
    ],
)
async def test_without_a_policy_the_answers_of_our_own_servers_are_judged(
    estimates: str | None, managed: bool, told: bool, stream: bool, tmp_path: Path
) -> None:
    confidence = {} if estimates is None else {"estimates": estimates}
    more = {"tiny": {"kind": MANAGED}} if managed else {}
    async with doubting(tmp_path, policy=None, more=more, confidence=confidence) as home:
        got = await home.get(stream=stream)

        assert home.asked_to_write() == [1, 0]
    got.assert_is("tiny")
    assert got.results == ([("tiny", "accepted")] if told else [])
    assert ("x-confidence" in got.headers) == (told and not stream)
    assert got.logprobs == []


async def test_several_choices_are_not_judged(tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        response = await home.ask(model="fast", n=2)
        record = await home.record(response)

        assert home.asked_to_write() == [1, 0]
        assert "logprobs" not in home.servers["tiny"].asked_to_write[0].body
    assert [choice["message"]["content"] for choice in response.json()["choices"]] == ["".join(FALSE)] * 2
    assert record["answers"] == []


async def test_work_that_nobody_waits_for_is_not_judged(tmp_path: Path) -> None:
    task = '### Task:\nGenerate a concise title.\nJSON format: { "title": "your concise title here" }\n'
    task += "<chat_history>\nHi\n</chat_history>"
    async with doubting(tmp_path) as home:
        got = await home.get(messages=[{"role": "user", "content": task}])

    assert got.record["background"] is True
    assert got.attempts == []
    got.assert_is("tiny")


async def test_embeddings_are_not_judged(tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        response = await home.ask(EMBED, model="fast")

        assert response.status_code == 200
        assert (await home.record(response))["answers"] == []
    assert "x-confidence" not in response.headers


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_violates_its_schema_is_asked_of_the_larger_model(stream: bool, tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        tiny, big = home.servers["tiny"], home.servers["big"]
        tiny.words, tiny.sure = ('{"', "town", '":', '"Bonn"}'), [SURE]
        big.words = ('{"', "city", '":', '"Bonn"}')
        got = await home.get(stream=stream, response_format=BY_SCHEMA)

        assert home.servers["big"].asked_to_write[0].body["response_format"] == BY_SCHEMA
    assert got.results == [("tiny", "doubted"), ("big", "accepted")]
    got.assert_says(big.words, MODELS["big"])


@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_of_a_tool_is_an_answer_and_may_be_doubted_too(stream: bool, tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        for server, place in ((home.servers["tiny"], "Sydney"), (home.servers["big"], "Canberra")):
            server.words, server.call = ("Let", " me", " look", "."), f'{{"city": "{place}"}}'
        doubted = await home.ask(model="fast", tools=[WEATHER], messages=HELLO, stream=stream)
        home.servers["tiny"].sure = [SURE]
        good = await home.ask(model="fast", tools=[WEATHER], messages=HELLO, stream=stream)
        results = [[each["result"] for each in (await home.record(told))["answers"]] for told in (doubted, good)]

    assert results == [["doubted", "accepted"], ["accepted"]]
    assert "Canberra" in doubted.text
    assert "Sydney" not in doubted.text
    assert "Sydney" in good.text


async def test_a_backend_that_has_nothing_to_say_of_log_probabilities_is_judged_by_its_text(tmp_path: Path) -> None:
    async with doubting(tmp_path) as home:
        tiny = home.servers["tiny"]
        tiny.distort = lambda *_: None
        good = await home.get()
        tiny.words = ("I", " don't", " know", ".")
        refused = await home.get()

    assert good.results == [("tiny", "accepted")]
    assert good.attempts[0]["by"] == "prior"
    assert good.attempts[0]["notes"] == ["no log-probabilities were told"]
    assert refused.results == [("tiny", "doubted"), ("big", "accepted")]


@in_every_way
@pytest.mark.parametrize("who", ["tiny", "big"])
async def test_a_backend_that_rejects_our_wish_is_asked_without_it_and_not_bothered_again(
    who: str, path: str, stream: bool, tmp_path: Path
) -> None:
    async with doubting(tmp_path, confidence={"prior": 0.9}) as home:
        home.servers[who].plain = True
        if who == "tiny":
            home.servers["tiny"].words = ("I", " don't", " know", ".")
        first = await home.get(path, stream=stream)
        second = await home.get(path, stream=stream)
        wishes = ["logprobs" in request.body for request in home.servers[who].asked_to_write]

        assert home.busy() == 0
    for got in (first, second):
        got.assert_is("big")
        assert got.results == [("tiny", "doubted"), ("big", "accepted")]
    assert wishes == [True, False, False]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_backend_that_rejects_what_the_client_asked_for_is_not_asked_for_less(
    stream: bool, tmp_path: Path
) -> None:
    async with doubting(tmp_path, "tiny") as home:
        home.servers["tiny"].plain = True
        response = await home.ask(model="fast", logprobs=True, stream=stream)

        assert home.asked_to_write() == [1]
    assert response.status_code == 400
