"""A question that is a sum is worked out, and the answer's result is compared with that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.asked_sum import asked_sum

RIGHT = {"sum_right": 1.0, "sum_wrong": 0.0}
WRONG = {"sum_right": 0.0, "sum_wrong": 1.0}


def told(question: str, answer: str, finish_reason: str | None = "stop") -> dict[str, float]:
    return dict(asked_sum(Exchange(question, answer, finish_reason=finish_reason)))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is 17 * 23?", "391"),
        ("What is 17 * 23?", "17 * 23 = 391."),
        ("What is 17 * 23? Answer with the number only.", "391"),
        ("17 * 23 = ?", "17 \u00d7 23 is 391, as 17 \u00d7 20 = 340 and 17 \u00d7 3 = 51."),
        ("Calculate 19 + 9.", "First, 19 + 1 = 20. Then 20 + 8 = 28."),
        ("How much is (2 + 3) * 4?", "It is 20."),
        ("Was ist 12 - 15?", "12 - 15 ist -3."),
        ("What is 1,000 + 1?", "That is 1,001."),
        ("What is 10 divided by 4?", "10 divided by 4 is 2.5."),
        ("What is 10 / 3?", "About 3.33"),
        ("What is 20% of 50?", "20% of 50 is 10."),
        ("What is 27 plus 8?", "27 plus 8 is 27 + 8, which equals 35."),
    ],
)
def test_a_right_result_is_known(question: str, answer: str) -> None:
    assert told(question, answer) == RIGHT


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is 18 times 5?", "18 times 5 is 80."),
        ("What is 3 - 2?", "3 - 2 is 2."),
        ("What is 17 * 23?", "401"),
        ("Calculate 19 + 9.", "19 + 9 = 29"),
        ("What is 10 / 3?", "3.4"),
    ],
)
def test_a_wrong_result_is_known(question: str, answer: str) -> None:
    assert told(question, answer) == WRONG


@pytest.mark.parametrize(
    "question",
    [
        "What is 24/7?",
        "What is 9-11?",
        "What is a 4x4?",
        "What is 42?",
        "What is 3 / 0?",
        "I have 3 + 4 apples. How many are left?",
        "What is 17 * 23? Round to the nearest ten.",
        "What is 17 * 23? Answer in binary.",
        "Who was born in 1998?",
        "What is " + "1 + " * 200 + "1?",
    ],
)
def test_what_is_no_plain_sum_is_not_worked_out(question: str) -> None:
    assert told(question, "It is 12.") == {}


@pytest.mark.parametrize(
    "answer", ["", "I don't know.", "Three hundred and ninety-one.", "391, as you can check: 391 / 23 = 17.", "17 * 23"]
)
def test_an_answer_that_gives_no_number_or_not_clearly_one_tells_nothing(answer: str) -> None:
    assert told("What is 17 * 23?", answer) == {}


def test_a_result_that_is_no_whole_number_may_be_given_as_one() -> None:
    assert told("What is 10 / 4?", "2, and 2 are left.") == {}


def test_a_number_that_is_still_being_written_is_not_judged() -> None:
    assert told("What is 17 * 23?", "17 * 23 = 391", None) == {}
    assert told("What is 17 * 23?", "17 * 23 = 39", "length") == {}


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**7))
def test_a_sum_is_right_where_it_is_and_only_there(one: int, other: int, given: int) -> None:
    assert told(f"What is {one} + {other}?", f"{one} + {other} = {one + other}") == RIGHT
    assert (told(f"What is {one} + {other}?", str(given)).get("sum_right") == 1.0) == (given == one + other)


@given(st.text(), st.text(st.sampled_from("0123456789²٣,.+-*/=() isx?"), max_size=300), st.sampled_from((None, "stop")))
def test_any_text_can_be_looked_at(question: str, text: str, finish_reason: str | None) -> None:
    for asked in (question, text, f"What is {text}?", "What is 3 + 4?"):
        assert set(told(asked, text, finish_reason).values()) <= {0.0, 1.0}
