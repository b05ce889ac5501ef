"""The questions are many, plain, and the same every time."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from app.commands.doubt_answers import EXAMPLES, Question, right
from app.commands.doubt_questions import MissingDataError, questions


@pytest.fixture(scope="module")
def every() -> tuple[Question, ...]:
    for package in ("countryinfo", "babel", "periodictable"):
        pytest.importorskip(package)
    return tuple(questions())


def _by_text(every: tuple[Question, ...], text: str) -> Question:
    return next(question for question in every if question.text == text)


def test_there_are_enough_in_each_of_five_topics(every: tuple[Question, ...]) -> None:
    topics = Counter(question.topic for question in every)
    assert set(topics) == {"capitals", "currencies", "symbols", "sums", "spelling"}
    assert len(every) >= 800
    assert min(topics.values()) >= 100


def test_they_are_the_same_every_time_and_none_comes_twice(every: tuple[Question, ...]) -> None:
    assert tuple(questions()) == every
    assert len({question.text for question in every}) == len(every)


def test_none_of_the_examples_is_asked_and_each_is_said_before(every: tuple[Question, ...]) -> None:
    assert not {question for question, _ in EXAMPLES} & {question.text for question in every}
    for question in every[::100]:
        told = [message["content"] for message in question.messages()]
        assert told == [*(text for example in EXAMPLES for text in example), question.text]
        assert [message["role"] for message in question.messages()][-3:] == ["user", "assistant", "user"]


def test_another_seed_asks_other_sums(every: tuple[Question, ...]) -> None:
    others = {question.text for question in questions(seed=5) if question.topic == "sums"}
    assert others != {question.text for question in every if question.topic == "sums"}


def test_the_bare_truth_is_right_and_a_rival_is_wrong(every: tuple[Question, ...]) -> None:
    for question in every[::9]:
        assert all(right(question, f"It {truth}." if truth.startswith("is ") else truth) for truth in question.truths)
        assert not any(right(question, rival) for rival in question.rivals[::20])


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("What is the capital of Kenya?", "Nairobi"),
        ("Of which country is Hanoi the capital?", "Vietnam"),
        ("What is the currency of Germany?", "The euro."),
        ("What is the currency of Japan?", "The Japanese yen (JPY)."),
        ("What is the currency of Denmark?", "The currency of Denmark is Danish kroner."),
        ("What is the chemical symbol for silver?", "Ag"),
        ("Which chemical element has the symbol Al?", "Aluminium"),
        ("How is the number 44 spelled?", "The number 44 is spelled 'forty-four'."),
        ("How is the number 80 spelled?", "eighty"),
        ("How is the number 12 spelled?", "twelve"),
    ],
)
def test_well_known_truths_are_known(every: tuple[Question, ...], text: str, truth: str) -> None:
    assert right(_by_text(every, text), truth)


def test_sums_are_right(every: tuple[Question, ...]) -> None:
    signs = {"+": int.__add__, "-": int.__sub__, "times": int.__mul__}
    for question in every:
        if question.topic == "sums":
            one, sign, other = question.text.rstrip("?.").split()[-3:]
            assert question.truths == (str(signs[sign](int(one), int(other))),)


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "countryinfo", None)
    with pytest.raises(MissingDataError, match="countryinfo"):
        next(questions())
