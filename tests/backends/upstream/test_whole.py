"""A whole answer, told as the stream it could have been."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BackendRefusedError
from app.domain.sse import DONE
from app.relay.collect import collect
from backends.upstream.whole import as_events
from tests.app.builders import HEAD, USAGE, told

ANSWER = {**HEAD, "object": "chat.completion"}


def answer(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": "stop"}
        for index, message in enumerate(messages)
    ]
    return {**ANSWER, "choices": choices, **more}


def test_a_chat_becomes_one_event_and_the_end() -> None:
    events = as_events("box", answer({"role": "assistant", "content": "Hi"}))

    assert events.endswith(DONE)
    assert told([events]) == [
        {
            **HEAD,
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": "Hi"},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
        }
    ]


def test_usage_comes_in_an_event_of_its_own() -> None:
    events = told([as_events("box", answer({"content": "Hi"}, usage=USAGE))])

    assert [event["choices"] == [] for event in events] == [False, True]
    assert events[1]["usage"] == USAGE
    assert "usage" not in events[0]


def test_usage_that_is_none_is_left_out() -> None:
    assert len(told([as_events("box", answer({"content": "Hi"}, usage=None))])) == 1


def test_tool_calls_are_numbered_as_a_stream_has_them() -> None:
    calls = [{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": {"name": "g"}}]

    (event,) = told([as_events("box", answer({"content": None, "tool_calls": calls}))])

    assert [(call["index"], call["id"]) for call in event["choices"][0]["delta"]["tool_calls"]] == [(0, "a"), (1, "b")]


def test_a_completion_is_left_as_it_is() -> None:
    choice = {"index": 0, "text": "Hi", "logprobs": None, "finish_reason": "length"}

    (event,) = told([as_events("box", {"id": "cmpl-1", "object": "text_completion", "choices": [choice]})])

    assert event == {"id": "cmpl-1", "object": "text_completion", "choices": [choice]}


@pytest.mark.parametrize(
    "nonsense",
    [None, [], "?", 3, {}, {"choices": []}, {"choices": "?"}, {"error": {"message": "no"}}, {"object": "list"}],
    ids=str,
)
def test_what_is_no_completion_is_a_refusal(nonsense: Any) -> None:
    with pytest.raises(BackendRefusedError, match="'box' answered with JSON that is no completion"):
        as_events("box", nonsense)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "tool_calls", "usage", "index", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json)
def test_whatever_a_server_says_is_events_or_a_refusal(said: Any) -> None:
    try:
        events = as_events("box", said)
    except BackendRefusedError:
        return
    assert events.endswith(DONE)


@given(st.lists(st.text(max_size=10), min_size=1, max_size=3))
def test_nothing_is_lost_on_the_way_to_events_and_back(texts: list[str]) -> None:
    given_answer = answer(*({"role": "assistant", "content": text, "refusal": None} for text in texts), usage=USAGE)

    assert collect(as_events("box", given_answer), USAGE) == given_answer
