"""Whether an answer is empty, and whether it is too short for the question asked."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.length import length


def is_short(question: str, text: str) -> bool:
    return length(Exchange(question, text, finish_reason="stop"))["short"] == 1.0


def is_empty(text: str, question: str = "What is it?", calls: bool = False) -> bool:
    return length(Exchange(question, text, calls=calls))["empty"] == 1.0


@pytest.mark.parametrize(
    "text", ["", " \n\t", "...", "\u200b", "<|im_end|>", "</s>", "<pad><pad>", "- \n-", "!?", "[PAD] ."]
)
def test_white_space_marks_and_special_tokens_are_no_answer(text: str) -> None:
    assert is_empty(text)


@pytest.mark.parametrize("text", ["4", "+", "a", "é", "日", "🙂", "√", "...so", "<|im_end|>x"])
def test_one_letter_digit_or_symbol_is_an_answer(text: str) -> None:
    assert not is_empty(text)


def test_a_mark_is_an_answer_where_a_mark_was_asked_for() -> None:
    assert not is_empty("*", "Which operator multiplies?")
    assert not is_empty("?", "Which punctuation ends a question?")


def test_who_calls_a_tool_is_neither_empty_nor_short() -> None:
    values = length(Exchange("Write an essay", "", calls=True, finish_reason="tool_calls"))

    assert (values["empty"], values["short"]) == (0.0, 0.0)


def test_a_thought_without_an_answer_is_empty_once_it_has_ended() -> None:
    assert length(Exchange("q", "<think>Hm.</think> ", finish_reason="stop"))["empty"] == 1.0
    assert length(Exchange("q", "<think>Hm."))["empty"] == 0.0


def test_while_the_answer_is_written_nobody_knows_whether_it_is_short() -> None:
    assert "short" not in length(Exchange("Write an essay", "Dogs"))


def test_the_length_is_of_the_text_without_white_space_around_it() -> None:
    assert length(Exchange("q", "  Paris \n"))["log_chars"] == pytest.approx(math.log(6))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What is the capital of France?", "Paris"),
        ("6*7?", "42"),
        ("Is water wet?", "Yes"),
        ("Why is the sky blue?", "Rayleigh scattering."),
        ("Who wrote the story of Peter Pan?", "J. M. Barrie"),
        ("What is the difference between 7 and 5?", "2"),
        ("Explain gravity in one word.", "Attraction"),
        ("Name three primary colours", "Red, green, blue"),
        ("List ten animals", "cat, dog, cow, hen, pig, ant, bee, owl, fox, emu"),
        ("Give me 20 percent of 50", "10"),
        ("Write a Python function that doubles", "lambda x: 2*x"),
        ("Write an essay about dogs", "Dogs live with people, and have done so for a very long time. " * 5),
        ("How does one work out 6 times 7?", "42"),
        ("Say it in 100 words or less", "So be it."),
        ("Nenne drei Farben", "Rot, Grün, Blau"),
    ],
)
def test_a_short_answer_that_answers_is_not_too_short(question: str, text: str) -> None:
    assert not is_short(question, text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Write an essay about dogs", "Dogs are nice."),
        ("Write a 500-word text on dogs", "Dogs are nice pets. " * 5),
        ("Write three paragraphs on dogs", "Dogs are nice."),
        ("List ten animals", "cat"),
        ("Give me five reasons to run", "Health."),
        ("Tell me a story", "Once upon a time."),
        ("Write a Python function that doubles", "Sure, here goes"),
        ("Explain gravity.", "It is gravity."),
        ("Why is the sky blue?", "Yes."),
        ("Schreibe einen Aufsatz über Hunde", "Hunde sind lieb."),
        ("Raconte-moi une histoire", "Il était une fois."),
        ("Describe the water cycle", ""),
    ],
)
def test_three_words_are_too_short_for_an_essay_a_list_or_a_reason(question: str, text: str) -> None:
    assert is_short(question, text)


@given(st.text(), st.text(), st.sampled_from([None, "stop", "length"]), st.booleans())
def test_values_are_finite_and_in_their_range(question: str, text: str, finish: str | None, calls: bool) -> None:
    values = length(Exchange(question, text, finish_reason=finish, calls=calls))

    assert values["log_chars"] <= math.log1p(len(text))
    assert {value for name, value in values.items() if name != "log_chars"} <= {0.0, 1.0}


@pytest.mark.parametrize("piece", ["write ", "give me ", "explain ", "<|", "[PAD]", "how do a ", ".", "\n", "9"])
def test_a_long_question_and_a_long_answer_are_read_in_no_time(piece: str) -> None:
    assert length(Exchange(piece * 50_000, piece * 50_000, finish_reason="stop"))["short"] in (0.0, 1.0)
