"""Completion events as those of a chat, and a text that comes before the first of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.domain.sse import DONE
from backends.as_chat import AfterSurplus, AsChat
from tests.backends.kinds import events, text
from tests.fakes.openai_server import event


def said(word: str, **more: Any) -> dict[str, Any]:
    choice = {"text": word, "index": 0, "logprobs": None, "finish_reason": None, **more}
    return {"id": "1", "object": "text_completion", "created": 5, "model": "m", "choices": [choice]}


def test_words_become_deltas_and_the_end_has_none() -> None:
    end = said("", finish_reason="stop")
    blocks = AsChat().feed(event(said("Hi")) + event(end) + DONE)

    assert blocks.endswith(DONE)
    told = events(blocks)
    assert [each["choices"][0]["delta"] for each in told] == [{"content": "Hi"}, {}]
    assert [each["choices"][0]["finish_reason"] for each in told] == [None, "stop"]
    assert {each["object"] for each in told} == {"chat.completion.chunk"}
    assert all("text" not in each["choices"][0] for each in told)
    assert all((each["id"], each["created"], each["model"]) == ("1", 5, "m") for each in told)


def test_logprobs_and_usage_stay_as_they_are() -> None:
    logprobs = {"content": [{"token": "Hi"}]}
    usage = {**said(""), "choices": [], "usage": {"total_tokens": 3}}
    told = events(AsChat().feed(event(said("Hi", logprobs=logprobs)) + event(usage)))

    assert told[0]["choices"][0]["logprobs"] == logprobs
    assert (told[1]["choices"], told[1]["usage"]) == ([], {"total_tokens": 3})


def test_an_error_goes_on_as_it_came() -> None:
    error = event({"error": {"message": "no"}})

    assert AsChat().feed(error) == error
    assert AfterSurplus("x").feed(error) == error


@pytest.mark.parametrize("data", [b"[1]", b"{", b'{"choices": [5]}', b'{"choices": 5}'])
def test_an_event_that_is_none_is_an_error(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        AsChat().feed(b"data: " + data + b"\n\n")


def test_the_surplus_comes_once_and_first_with_the_same_head() -> None:
    reader = AfterSurplus(" 日本")
    first = {**said("x"), "usage": {"total_tokens": 1}, "timings": {}}
    blocks = [reader.feed(event(first)), reader.feed(event(said("y")))]

    told = events(b"".join(blocks))
    assert text(told) == " 日本xy"
    assert told[0] == said(" 日本")


def test_without_surplus_the_very_bytes_go_on() -> None:
    block = b"data: {}\n\n"

    assert AfterSurplus("").feed(block) is block
    assert orjson.loads(block[6:]) == {}
