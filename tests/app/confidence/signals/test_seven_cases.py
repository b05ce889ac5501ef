"""The seven answers that a score of length and politeness got wrong, as the text's own signals see them."""

from __future__ import annotations

import pytest

from app.confidence.exchange import Exchange
from app.confidence.signals.language import language
from app.confidence.signals.length import length
from app.confidence.signals.phrases import phrases
from app.confidence.signals.refusal import refusal
from app.confidence.signals.repetition import repetition
from app.confidence.signals.truncation import truncation

AUSTRALIA = "What is the capital of Australia?"


def against(question: str, text: str) -> set[str]:
    """What speaks against an answer. Its length and its share of repetition alone are only measures."""
    exchange = Exchange(question, text, finish_reason="stop")
    values: dict[str, float] = {}
    for signal in (phrases, refusal, length, repetition, truncation, language):
        values.update(signal(exchange))
    return {name for name, value in values.items() if value > 0.0 and name not in ("log_chars", "repetition")}


def test_a_right_answer_of_one_word_has_nothing_against_it() -> None:
    assert against("What is the capital of France?", "Paris") == set()


def test_a_right_number_has_nothing_against_it() -> None:
    assert against("What is 6 times 7?", "42") == set()


def test_a_fluent_false_answer_cannot_be_seen_through_by_its_text_alone() -> None:
    """The honest limit: only the tokens' probabilities, other samples or a verifier tell it from a true one."""
    false = "The capital of Australia is Sydney, which is the largest city of the country and lies on its east coast."

    assert against(AUSTRALIA, false) == set()
    assert against(AUSTRALIA, false.replace("Sydney", "Canberra")) == set()


def test_one_word_again_and_again_is_a_loop() -> None:
    assert against(AUSTRALIA, "asdf " * 30) == {"loop", "unended"}


@pytest.mark.parametrize(
    "more", ["but I can try to help you find it.", "and I am afraid that I can't say more.", "sorry."]
)
def test_not_knowing_is_a_refusal_however_politely_it_is_said(more: str) -> None:
    assert "refusal" in against(AUSTRALIA, f"I don't know the answer to that question, {more}")


@pytest.mark.parametrize(
    "text",
    [
        "A process gets this error when it is unable to open the file, most often because it may not read it.",
        "Penguins are birds that are unable to fly.",
        "If the server is unable to answer, it sends the status 503.",
    ],
)
def test_a_right_answer_that_says_unable_to_has_nothing_against_it(text: str) -> None:
    assert against("What does this mean?", text) == set()


def test_an_empty_answer_is_no_answer() -> None:
    assert against(AUSTRALIA, "") == {"empty"}
