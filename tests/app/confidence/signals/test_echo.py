"""An answer that says nothing new is told from one that does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.echo import echo


def told(question: str, answer: str, finish_reason: str | None = "stop") -> float | None:
    return echo(Exchange(question, answer, finish_reason=finish_reason)).get("echo")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the capital of Tunisia?", "The capital of Tunisia is Tunisia."),
        ("What is the capital of Tunisia?", "Tunisia"),
        ("What is the chemical symbol for carbon?", "The chemical symbol for carbon is Carbon."),
        ("Wo ist Goethe geboren?", "Goethe ist geboren."),
    ],
)
def test_the_words_of_the_question_are_no_answer(question: str, answer: str) -> None:
    assert told(question, answer) == 1.0


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the capital of Tunisia?", "The capital of Tunisia is Tunis."),
        ("What is the chemical symbol for carbon?", "C"),
        ("What is the capital of Mexico?", "Mexico City"),
        ("What is the chemical symbol for arsenic?", "The chemical symbol for arsenic is As."),
        ("What is the chemical symbol for lanthanum?", "La"),
        ("What is the boiling point of water?", "100"),
    ],
)
def test_one_new_word_or_number_may_be_the_answer(question: str, answer: str) -> None:
    assert told(question, answer) == 0.0


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which is larger, Mars or Venus?", "Venus"),
        ("Is Rome the capital of Italy?", "Rome is the capital of Italy."),
        ("Repeat after me: hello", "hello"),
        ("What is the word for hotel translated to French?", "Hotel"),
        ("What is 6 - 3?", "6 - 3 is 3."),
        ("Rome is in Italy.\nWhere is Rome?", "Rome is in Italy."),
        ("Of which country is Panama City the capital?", "Panama"),
        ("What is the capital of Tunisia?", ""),
        ("What is the capital of Tunisia?", "..."),
        ("What is " + "very " * 100 + "long?", "long"),
    ],
)
def test_where_the_answer_may_stand_in_the_question_nothing_is_told(question: str, answer: str) -> None:
    assert told(question, answer) is None


def test_an_answer_that_is_still_being_written_may_yet_say_something() -> None:
    assert told("What is the capital of Tunisia?", "The capital of Tunisia is", None) is None


@given(st.text(), st.text(), st.sampled_from((None, "stop", "length")))
def test_any_text_can_be_looked_at(question: str, answer: str, finish_reason: str | None) -> None:
    assert told(question, answer, finish_reason) in (None, 0.0, 1.0)
    assert told(f"What is {question}?", answer, finish_reason) in (None, 0.0, 1.0)
