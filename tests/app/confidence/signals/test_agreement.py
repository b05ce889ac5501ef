"""Tests of how far samples agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.agreement import agreement

CAPITAL = "What is the capital of France?"
LONG = "First we add the eggs and the flour, then the milk, and after that we stir it well. In all {} grams."


def _agreement(question: str, text: str, *samples: str) -> float:
    return agreement(Exchange(question, text, samples=samples))["agreement"]


def test_without_samples_nothing_is_told() -> None:
    assert agreement(Exchange(CAPITAL, "Paris")) == {}


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        (CAPITAL, "Paris", "The capital of France is Paris."),
        (CAPITAL, "PARIS!", "paris"),
        ("How many?", "1,000", "It is 1000."),
        ("Is it so?", "Yes, it is.", "Yes."),
        ("7 or 9?", "9", "9."),
        ("首都は?", "東京", "東京です"),
    ],
)
def test_short_answers_with_the_same_key_agree(question: str, one: str, other: str) -> None:
    assert _agreement(question, one, other) == _agreement(question, other, one) == 1.0


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        (CAPITAL, "The capital of France is Paris.", "The capital of France is Lyon."),
        ("When?", "In May 1915", "In May 1916"),
        ("Is it safe?", "It is safe.", "It is not safe."),
        ("7 or 9?", "9", "7"),
        (CAPITAL, "Paris", ""),
    ],
)
def test_short_answers_with_another_key_do_not(question: str, one: str, other: str) -> None:
    assert _agreement(question, one, other) == _agreement(question, other, one) == 0.0


def test_the_mean_is_over_the_samples() -> None:
    assert _agreement(CAPITAL, "Paris", "Paris.", "Lyon", "It's Paris", "Nice") == 0.5


def test_long_answers_agree_half_by_the_number_they_end_on() -> None:
    assert _agreement("How much?", LONG.format(300), "So: " + LONG.format(300)) > 0.9
    assert _agreement("How much?", LONG.format(300), LONG.format(200)) < 0.6


def test_long_answers_without_numbers_agree_by_their_words() -> None:
    one = "The heart pumps blood through the body, so that every part of it gets oxygen and food."
    near = "The heart pumps blood around, so that every part of the body gets food and oxygen."
    far = "It was built by a king who wanted to see the sea from every window of his summer house."
    assert _agreement("What does it do?", one, near) > 0.7 > 0.2 > _agreement("What does it do?", one, far)


@given(st.text(), st.text(), st.lists(st.text(), min_size=1, max_size=20))
def test_it_is_a_share_whatever_was_written(question: str, text: str, samples: list[str]) -> None:
    assert 0.0 <= _agreement(question, text, *samples) <= 1.0


@given(st.text(min_size=1), st.text())
def test_an_answer_agrees_with_itself(text: str, question: str) -> None:
    assert _agreement(question, text, text) == 1.0
