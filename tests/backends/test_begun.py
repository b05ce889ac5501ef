"""What is written of an answer becomes the beginning of the assistant's turn."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import JobRejectedError
from app.domain.handoff import Begun
from backends.begun import continued

ASKED = {"role": "user", "content": "Hi"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
PART = {"type": "text", "text": "Once"}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([ASKED], [ASKED, {"role": "assistant", "content": " upon"}]),
        ([ASKED, CALL], [ASKED, CALL, {"role": "assistant", "content": " upon"}]),
        ([ASKED, {"role": "assistant", "content": "Once"}], [ASKED, {"role": "assistant", "content": "Once upon"}]),
        ([ASKED, {"role": "assistant", "content": None}], [ASKED, {"role": "assistant", "content": " upon"}]),
        (
            [ASKED, {"role": "assistant", "content": [PART]}],
            [ASKED, {"role": "assistant", "content": [{**PART, "text": PART["text"] + " upon"}]}],
        ),
    ],
    ids=["after a question", "after a call", "after a beginning", "after nothing", "after parts"],
)
def test_the_text_is_the_last_turn(messages: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert continued("box", {"messages": messages, "top_k": 3}, Begun(" upon")) == {"messages": expected, "top_k": 3}


def test_the_marks_are_on_that_turn_alone() -> None:
    body = continued("box", {"messages": [ASKED]}, Begun("a"), prefix=True)
    assert body["messages"] == [ASKED, {"role": "assistant", "content": "a", "prefix": True}]


def test_the_callers_body_stays_as_it_was() -> None:
    body = {"messages": [ASKED, {"role": "assistant", "content": "a"}]}
    continued("box", body, Begun("b"))
    assert body == {"messages": [ASKED, {"role": "assistant", "content": "a"}]}


def test_nothing_written_changes_nothing() -> None:
    body = {"messages": [ASKED]}
    assert continued("box", body, Begun(""), prefix=True) is body


def test_a_thought_without_a_word_is_refused_and_one_with_words_is_not() -> None:
    with pytest.raises(JobRejectedError):
        continued("box", {"messages": [ASKED]}, Begun("", reasoning="Hm"))
    assert continued("box", {"messages": [ASKED]}, Begun("a", reasoning="Hm"))["messages"][-1]["content"] == "a"
