"""What an answer says in its writer's own voice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.voice import (
    HEAD,
    TAIL,
    Phrases,
    after_thought,
    asks_for_words,
    excerpt,
    lends_its_voice,
    spoken,
    words,
)


@pytest.mark.parametrize(
    "text",
    [
        "Run ```\nSECRET\n``` now",
        "Run ~~~\nSECRET\n~~~ now",
        "Run ```\nSECRET and no end",
        "Run `SECRET` now",
        'He said "SECRET" twice',
        "He said 'it's a SECRET' twice",
        "Er sagte „SECRET“ und ging",
        "Il dit « SECRET » et part",
        "「SECRET」と言った",
        "> SECRET\n\nwas what he wrote",
    ],
)
def test_code_and_quotations_are_not_the_writers_own_words(text: str) -> None:
    assert "SECRET" not in spoken(text)


@pytest.mark.parametrize("text", ["it's mine and hers'", "5 < 6 > 4", "the dogs' SECRET 'tis", 'a 6" pipe\nSECRET'])
def test_what_looks_like_a_quotation_and_is_none_stays(text: str) -> None:
    assert spoken(text) == text


def test_what_is_thought_aloud_before_an_answer_is_no_part_of_it() -> None:
    assert after_thought("\n<think>Hm.</think>Paris") == "Paris"
    assert after_thought("<think>Hm.") == ""
    assert after_thought("Write <think> before it.") == "Write <think> before it."


def test_words_are_in_small_letters_and_sentences_end_in_dots() -> None:
    assert words("I\u2019m SURE!\nWeiß, 我不") == [".", "i'm", "sure", ".", ".", "weiss", ",", "我", "不"]


def test_letters_with_accents_are_the_same_in_one_piece_or_two() -> None:
    assert words("su\u0302r") == words("s\u00fbr")


def test_a_choice_in_a_phrase_stands_for_each_of_its_words() -> None:
    book = Phrases(["i'm not (|so |100 )(sure|certain)"])

    found = [book.at(words(text)[1:], 0) for text in ("I'm not sure", "I'm not 100 certain", "I'm not a cat")]
    assert found == [3, 4, 0]


def test_phrases_are_whole_words() -> None:
    assert Phrases(["no idea"]).places(words("A piano ideal has no ideas")) == []


def test_of_a_long_text_the_beginning_and_the_end_are_looked_at() -> None:
    seen = excerpt("FIRST " + "x " * 5000 + "LAST")

    assert seen.startswith("FIRST")
    assert seen.endswith("LAST")
    assert len(seen) < HEAD + TAIL + 20


def test_the_end_of_a_long_code_block_is_code_still() -> None:
    assert "SECRET" not in spoken(excerpt("Look:\n```\n" + "x = 1\n" * 500 + "SECRET"))
    assert "SPOKEN" in spoken(excerpt("Look:\n```\n" + "x = 1\n" * 500 + "```\nSPOKEN"))


@pytest.mark.parametrize(
    "question", ["Write an email to Bob", "Tell me a story", "Schreibe ein Gedicht", "Écris une lettre"]
)
def test_in_a_letter_or_a_story_somebody_else_speaks(question: str) -> None:
    assert lends_its_voice(question)


@pytest.mark.parametrize(
    "question", ["Who wrote the story of Peter Pan?", "Write a function", "Is the letter A a vowel?"]
)
def test_a_question_about_a_story_asks_for_none(question: str) -> None:
    assert not lends_its_voice(question)


def test_who_asks_for_a_translation_asks_for_words() -> None:
    assert asks_for_words("How do you say 'I don't know' in Spanish?")
    assert asks_for_words('What does "je ne sais pas" mean?')
    assert asks_for_words("Say no.")
    assert not asks_for_words("What does photosynthesis mean?")
    assert not asks_for_words("Why do people say so?")


@given(st.text())
def test_nothing_is_added_to_a_text_but_marks_of_what_was_left_out(text: str) -> None:
    assert set(spoken(excerpt(text))) <= set(text) | set(" _")
    assert words(text)[0] == "."
