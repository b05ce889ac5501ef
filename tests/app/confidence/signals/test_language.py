"""Whether an answer is in another language than its question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.language import language

ENGLISH = "What is the capital of France?"
GERMAN_PAGE = (
    "Die Stadt liegt an einem Fluss, und die Menschen haben dort ein gutes Leben, weil es nicht zu groß ist. " * 8
)
SAME: list[tuple[str, str]] = [
    (ENGLISH, "The capital of France is Paris."),
    ("Was ist die Hauptstadt von Frankreich?", "Die Hauptstadt von Frankreich ist Paris."),
    ("Quelle est la capitale de la France ?", "La capitale de la France est Paris, sur la Seine."),
    ("¿Cuál es la capital de Francia?", "La capital de Francia es París, y no es Lyon."),
    ("Qual è la capitale della Francia?", "La capitale della Francia è Parigi, che è nel nord."),
    ("Qual é a capital da França?", "A capital da França é Paris."),
    ("Wat is de hoofdstad van Frankrijk?", "De hoofdstad van Frankrijk is Parijs."),
    ("Какой город столица Франции?", "Столица Франции — Париж."),
    ("日本の首都はどこですか。", "日本の首都は東京です。"),
    ("法国的首都是哪个城市\uff1f", "法国的首都是巴黎市。"),
]


@pytest.mark.parametrize(("question", "text"), SAME)
def test_question_and_answer_in_one_language_agree(question: str, text: str) -> None:
    assert language(Exchange(question, text)) == {"other_language": 0.0}


@pytest.mark.parametrize("place", range(1, len(SAME)))
def test_an_answer_in_any_other_language_is_found(place: int) -> None:
    assert language(Exchange(ENGLISH, SAME[place][1])) == {"other_language": 1.0}
    assert language(Exchange(SAME[place][0], SAME[0][1])) == {"other_language": 1.0}


@pytest.mark.parametrize(
    "text",
    [
        "Paris",
        "42",
        "",
        "Москва",
        "Los Angeles, La Paz, Las Vegas, El Salvador, Los Alamos, La Habana",
        "def f(x):\n    return [a for a in x if a is not None]",
        "```\nder die das und ist nicht ein\n```",
    ],
)
def test_of_names_numbers_and_code_no_language_can_be_told(text: str) -> None:
    assert language(Exchange(ENGLISH, text)) == {}


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of France? Answer in French.",
        "Translate the text: what is the capital of France?",
        "Was ist die Hauptstadt von Frankreich auf Französisch?",
        "Übersetze: Was ist die Hauptstadt von Frankreich und wo ist sie?",
        "Which language is the one that they speak in Paris?",
        "Capital?",
    ],
)
def test_where_a_language_is_named_or_none_can_be_told_nothing_is_said(question: str) -> None:
    assert language(Exchange(question, "La capitale de la France est Paris.")) == {}


def test_a_quotation_in_the_question_is_not_its_language() -> None:
    question = 'Who is it that said "la propriété est le vol et le vol est la propriété" and what is the meaning of it?'

    assert language(Exchange(question, "It was said by Proudhon, and it is the title of a book.")) == {
        "other_language": 0.0
    }


def test_a_question_about_a_page_in_another_language_may_be_answered_in_either() -> None:
    assert (
        language(
            Exchange(GERMAN_PAGE + "\n" + "What is the text about, and who are they? " * 6, "It is about the town.")
        )
        == {}
    )


def test_a_page_in_the_language_of_the_question_is_told() -> None:
    assert language(Exchange(GERMAN_PAGE, "It is about the town and the life of people.")) == {"other_language": 1.0}


@given(st.text(), st.text())
def test_whatever_is_said_it_is_one_zero_or_nothing(question: str, text: str) -> None:
    assert language(Exchange(question, text)) in ({}, {"other_language": 0.0}, {"other_language": 1.0})


@given(
    st.lists(
        st.sampled_from(["the", "der", "la", "le", "de", "is", "est", "es", "日本", "я", "and", "und", "`x`", "("])
    ).map(" ".join)
)
def test_whatever_its_own_words_make_it_is_one_zero_or_nothing(text: str) -> None:
    assert language(Exchange(ENGLISH, text)) in ({}, {"other_language": 0.0}, {"other_language": 1.0})
    assert language(Exchange(text, text)) in ({}, {"other_language": 0.0})


@pytest.mark.parametrize("piece", ["translat", "the ", "'", "“", "por ", "日", "(", "\n"])
def test_a_long_question_and_a_long_answer_are_read_in_no_time(piece: str) -> None:
    assert set(language(Exchange(piece * 50_000, piece * 50_000)).values()) <= {0.0, 1.0}
