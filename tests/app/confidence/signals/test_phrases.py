"""Doubt that an answer speaks out itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.phrases import MOST, phrases


def hedges(text: str, question: str = "What is it?") -> float:
    return phrases(Exchange(question, text))["hedges"]


@pytest.mark.parametrize(
    "text",
    [
        "I'm not sure.",
        "I am not entirely certain which.",
        "It is Bern, as far as I know.",
        "To the best of my knowledge, yes.",
        "I think it might be Bern.",
        "If I remember correctly, it was 1912.",
        "My best guess is 7.",
        "I could be wrong, but it's Bern.",
        "I can't say for certain.",
        "Not sure, it's Bern or Basel.",
        "I don\u2019t know exactly.",
        "Ich bin mir nicht sicher.",
        "Ich glaube, es ist Bern.",
        "Soweit ich weiß, ja.",
        "Meines Wissens Bern.",
        "Je ne suis pas sûr.",
        "Je crois que c'est Berne.",
        "Berne, à ma connaissance.",
        "No estoy seguro.",
        "Creo que es Berna.",
        "Non sono sicuro.",
        "Credo che sia Berna.",
        "Não tenho certeza.",
        "Acho que é Berna.",
        "Ik weet het niet zeker.",
        "Ik denk dat het Bern is.",
        "Voor zover ik weet, ja.",
        "Я не уверен.",
        "Nie jestem pewien.",
        "我不确定。",
    ],
)
def test_doubt_in_the_models_own_voice_is_heard(text: str) -> None:
    assert hedges(text) >= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "Bern",
        "He was not sure.",
        "Users who don't know the password can ask for another.",
        "The program stops because it is unable to open the file.",
        'A hedge is a phrase like "I\'m not sure".',
        "Set `I think` as the title.",
        "```\nprint('I am not sure')\n```",
        "> I'm not sure\n\nwas his answer.",
        "She said I think it is so.",
        "Descartes wrote: I think, therefore I am.",
        "Je pense, donc je suis.",
        "When I don't know, I ask.",
        "Who am I? Think about it.",
        "They believe in magic.",
    ],
)
def test_other_peoples_doubts_are_none_of_the_models(text: str) -> None:
    assert hedges(text) == 0.0


def test_each_doubt_counts_and_more_than_a_few_say_no_more() -> None:
    assert hedges("I'm not sure. I think it's Bern.") == 2.0
    assert hedges("I'm not sure. " * 20) == MOST


def test_an_opinion_that_was_asked_for_is_no_doubt() -> None:
    assert hedges("I think it is a fine town.", "What do you think of Bern?") == 0.0
    assert hedges("I'm not sure. I think it is fine.", "What do you think of Bern?") == 1.0


def test_words_of_the_question_are_not_the_models_own() -> None:
    assert hedges("As far as I know is a way to be careful.", "What is meant by as far as I know?") == 0.0


@pytest.mark.parametrize("question", ["Write a short story", "Translate: no estoy seguro", "How do you say no lo sé?"])
def test_who_asks_for_a_story_or_a_translation_hears_somebody_else(question: str) -> None:
    assert hedges("I'm not sure.", question) == 0.0


def test_a_doubt_at_the_end_of_a_long_answer_is_heard() -> None:
    assert hedges("It is so. " * 5000 + "But I could be wrong.") == 1.0


@given(st.text(), st.text())
def test_whatever_is_said_there_are_none_to_three(question: str, text: str) -> None:
    assert hedges(text, question) in (0.0, 1.0, 2.0, 3.0)


@given(st.sampled_from(["I'm not ", "`", "'", '"', "\n>", "<think>", "“", "i ", "write "]))
def test_a_long_answer_of_opened_quotations_is_read_in_no_time(piece: str) -> None:
    assert 0.0 <= hedges(piece * 50_000, piece * 50_000) <= MOST
