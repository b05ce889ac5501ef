"""The fake that goes on with an answer is as strict as its tests need it to be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.answers import Json
from tests.fakes.faulty_server import Counted, FaultyServer
from tests.fakes.sixty_tokens import TEXT, TOKENS, detokenise, rest_of, tokenise
from tests.fakes.wire import Request

CHAT, COMPLETE = "/v1/chat/completions", "/v1/completions"
HELLO = {"role": "user", "content": "Hi"}
GO_ON = {"continue_final_message": True, "add_generation_prompt": False}


def ask(server: FaultyServer, path: str, **body: Any) -> Any:
    return server.answer(Request("POST", path, {}, {"model": "small", **body}, 1))


def text(answer: Any) -> str:
    """What a whole answer says."""
    assert isinstance(answer, Json)
    assert answer.status == 200, answer.body
    (choice,) = answer.body["choices"]
    said: str = choice["message"]["content"] if "message" in choice else choice["text"]
    return said


def test_the_answer_has_sixty_tokens_and_its_tokenizer_finds_them() -> None:
    assert len(TOKENS) == 60
    assert [detokenise([token]) for token in tokenise(TEXT)] == list(TOKENS)


@given(st.integers(0, len(TOKENS)))
def test_any_number_of_them_is_counted(tokens: int) -> None:
    assert len(tokenise("".join(TOKENS[:tokens]))) == tokens


@given(st.text())
def test_any_text_comes_back_from_its_tokens(said: str) -> None:
    assert detokenise(tokenise(said)) == said


@given(st.integers(0, len(TEXT)))
def test_any_beginning_is_gone_on_with_to_the_letter(length: int) -> None:
    assert "".join(rest_of(TOKENS, TEXT[:length])) == TEXT[length:]


@given(st.integers(1, len(TEXT) - 1))
def test_a_beginning_with_one_character_lost_or_doubled_is_none(length: int) -> None:
    lost, doubled = TEXT[: length - 1] + TEXT[length : length + 1], TEXT[:length] + TEXT[length - 1 : length + 1]
    for wrong in {lost, doubled} - {TEXT[: len(lost)], TEXT[: len(doubled)]}:
        with pytest.raises(ValueError, match="no beginning"):
            rest_of(TOKENS, wrong)


@pytest.mark.parametrize("written", [TEXT[:1], TEXT[:50], TEXT])
def test_it_goes_on_in_each_of_its_three_ways(written: str) -> None:
    server = FaultyServer("a")
    turns = [HELLO, {"role": "assistant", "content": written}]
    prompt = ask(server, "/tokenize", messages=[HELLO]).body["tokens"] + tokenise(written)

    assert text(ask(server, CHAT, messages=turns, **GO_ON)) == TEXT[len(written) :]
    assert text(ask(server, COMPLETE, prompt="Hi" + written, max_tokens=100)) == TEXT[len(written) :]
    assert text(ask(server, COMPLETE, prompt=prompt, max_tokens=100)) == TEXT[len(written) :]


def test_a_turn_that_is_not_to_be_gone_on_with_is_over() -> None:
    turns = [HELLO, {"role": "assistant", "content": TEXT[:50]}]

    assert text(ask(FaultyServer("a"), CHAT, messages=turns)) == TEXT


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [HELLO, {"role": "assistant", "content": TEXT[:50]}], "continue_final_message": True},
        {"messages": [HELLO, {"role": "assistant", "content": ""}], **GO_ON},
        {"messages": [HELLO, {"role": "assistant", "content": TEXT[1:50]}], **GO_ON},
        {"messages": [HELLO], "max_tokens": 0},
    ],
    ids=["both at once", "nothing to go on with", "no beginning", "no token"],
)
def test_it_refuses_what_vllm_refuses(body: dict[str, Any]) -> None:
    assert ask(FaultyServer("a"), CHAT, **body).status == 400


def test_a_text_ends_after_sixteen_tokens_unless_told() -> None:
    assert text(ask(FaultyServer("a"), COMPLETE, prompt="Hi")) == "".join(TOKENS[:16])


def test_no_two_answers_are_told_alike() -> None:
    servers = FaultyServer("a"), FaultyServer("a"), FaultyServer("b")
    heads = [server.head(Request("POST", CHAT, {}, {}, 1)) for server in servers for _ in range(2)]

    assert len({head["id"] for head in heads}) == 4
    assert len({head["created"] for head in heads}) == 4


def test_an_answer_that_streams_is_counted_and_takes_a_fault() -> None:
    server = FaultyServer("a")
    server.faults.append(lambda _: Json({}, 500))
    answers = [ask(server, CHAT, messages=[HELLO], stream=stream) for stream in (False, True)]

    assert [isinstance(answer, Counted) for answer in answers] == [False, True]
    assert not server.faults
