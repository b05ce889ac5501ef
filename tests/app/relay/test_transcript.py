"""What the client has been sent so far."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.sse import encode
from app.relay.transcript import Transcript, Written, with_role
from tests.app.builders import HEAD, USAGE, delta, event, told, usage_event


def transcript(*blocks: bytes) -> Transcript:
    made = Transcript()
    for block in blocks:
        made.events += block
    return made


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


def test_what_is_written_is_the_text_of_the_first_choice_and_the_head_of_the_first_event() -> None:
    said = [delta("", role="assistant"), delta("Grüße"), delta(None), delta(" 日本"), delta("?", index=1)]

    assert transcript(*said).written() == Written(
        text="Grüße 日本", reasoning="", pieces=2, calls=False, in_reasoning=False, head=HEAD, finished=False
    )


def test_what_is_written_of_a_completion_is_its_text() -> None:
    def said(text: str, reason: str | None = None) -> bytes:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
        return encode(orjson.dumps({"id": "cmpl-1", "object": "text_completion", "choices": [choice]}))

    written = transcript(said("a"), said("b"), said("", "length")).written()

    assert (written.text, written.pieces, written.finished) == ("ab", 2, True)
    assert written.head == {"id": "cmpl-1", "object": "text_completion"}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_an_answer_is_in_its_reasoning_until_the_first_word(field: str) -> None:
    said: list[dict[str, Any]] = [{field: "Let me"}, {field: " see"}]
    thinking = [delta("", role="assistant"), *(delta("", **each) for each in said)]

    before, after = transcript(*thinking).written(), transcript(*thinking, delta("Hi")).written()

    assert (before.reasoning, before.pieces, before.in_reasoning) == ("Let me see", 2, True)
    assert (after.reasoning, after.text, after.pieces, after.in_reasoning) == ("Let me see", "Hi", 3, False)


def test_reasoning_that_is_said_in_both_fields_counts_once() -> None:
    assert transcript(delta(reasoning_content="Hm", reasoning="Hm")).written().reasoning == "Hm"


@pytest.mark.parametrize("call", [{"tool_calls": [{"index": 0}]}, {"function_call": {"arguments": "{"}}])
def test_a_call_that_has_begun_is_seen(call: dict[str, Any]) -> None:
    assert transcript(delta(None, **call), delta("")).written().calls
    assert not transcript(delta("Hi", tool_calls=[], function_call=None)).written().calls


def test_of_nothing_nothing_is_written() -> None:
    assert transcript().written() == Written("", "", 0, calls=False, in_reasoning=False, head={}, finished=False)


def test_events_without_choices_say_nothing() -> None:
    written = transcript(event(), encode(b'{"choices": null}'), encode(b"{}"), usage_event()).written()

    assert (written.text, written.pieces, written.finished) == ("", 0, False)


@pytest.mark.parametrize(
    "content",
    [
        *(b"no JSON", b"[1]", b"3", b'{"choices": 3}', b'{"choices": [3]}', b'{"choices": [{"delta": "a"}]}'),
        *(b'{"choices": [{"text": 3}]}', b'{"choices": [{"delta": {"content": [{"type": "text"}]}}]}'),
    ],
)
def test_events_that_are_none_of_an_answer_are_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        transcript(delta("Hi"), encode(content)).written()


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4))))
def test_not_a_character_of_what_was_sent_is_missing(said: list[tuple[str, str]]) -> None:
    written = transcript(*(delta(text, reasoning_content=thought) for text, thought in said)).written()

    assert written.text == "".join(text for text, _ in said)
    assert written.reasoning == "".join(thought for _, thought in said)
    assert written.pieces == sum(1 for text, thought in said if text or thought)
