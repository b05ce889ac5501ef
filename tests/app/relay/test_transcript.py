"""What the client has been sent so far."""

from __future__ import annotations

import orjson
import pytest

from app.domain.sse import encode
from app.relay.transcript import Transcript, with_role
from tests.app.builders import HEAD, USAGE, delta, event, told


def transcript(*blocks: bytes) -> Transcript:
    made = Transcript()
    for block in blocks:
        made.events += block
    return made


def test_an_answer_is_finished_once_a_finish_reason_has_come() -> None:
    begun = transcript(delta("Hi"))
    ended = transcript(delta("Hi"), delta(finish_reason="stop"))

    assert not begun.finished()
    assert ended.finished()


@pytest.mark.parametrize("spelling", [b'"finish_reason":"stop"', b'"finish_reason": "stop"'])
def test_every_way_to_space_it_is_understood(spelling: bytes) -> None:
    assert transcript(b'data: {"choices":[{%b}]}\n\n' % spelling).finished()


@pytest.mark.parametrize("words", ['"finish_reason":"stop"', '{"finish_reason": "stop"}', '\\"finish_reason":"stop"'])
def test_words_that_look_like_a_finish_reason_are_none(words: str) -> None:
    assert not transcript(delta(words)).finished()


def test_what_came_after_the_finish_reason_does_not_undo_it() -> None:
    assert transcript(delta(finish_reason="length"), event(usage=USAGE)).finished()


def test_nothing_is_not_finished() -> None:
    assert not Transcript().finished()


def test_usage_that_came_with_the_last_words_is_found() -> None:
    last = event({"index": 0, "delta": {}, "finish_reason": "stop"}, usage=USAGE)

    assert transcript(delta("Hi"), last).usage() == USAGE
    assert transcript(delta("Hi") + last, b"").usage() == USAGE


def test_usage_is_unknown_when_nobody_told_it() -> None:
    assert (
        transcript(delta("Hi"), event({"index": 0, "delta": {}, "finish_reason": "stop"}, usage=None)).usage() is None
    )
    assert transcript().usage() is None


@pytest.mark.parametrize("content", [b'["usage"]', b'"usage"', b'not "usage" at all', b'{"usage": 3}'])
def test_an_event_that_makes_no_sense_has_no_usage(content: bytes) -> None:
    assert transcript(encode(content)).usage() is None


def test_the_first_block_of_a_chat_has_a_role_already_or_gets_one() -> None:
    with_one = delta("", role="assistant")

    assert with_role(with_one) is with_one
    first, second = told([with_role(delta("🙂"))])
    assert first["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None},
    ]
    assert {key: first[key] for key in HEAD} == HEAD
    assert second["choices"][0]["delta"]["content"] == "🙂"


def test_the_role_comes_once_however_many_events_the_first_block_has() -> None:
    block = with_role(delta("a") + delta("b"))

    assert [choice["delta"].get("role") for each in told([block]) for choice in each["choices"]] == [
        "assistant",
        None,
        None,
    ]


def test_a_role_in_the_words_is_no_role() -> None:
    block = with_role(delta('"role"'))

    assert orjson.loads(block.split(b"\n\n")[0].removeprefix(b"data: "))["choices"][0]["delta"]["role"] == "assistant"
