"""Tests of the share of false sums."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.sums import sums


def _answer(text: str, finish_reason: str | None = "stop") -> Exchange:
    return Exchange("How many?", text, finish_reason=finish_reason)


def test_the_share_of_false_sums_is_told() -> None:
    assert sums(_answer("16 - 3 = 13. 13 - 4 = 8.\n8 * $2 = $16"))["false_sums"] == 1 / 3


def test_an_answer_without_sums_tells_nothing_of_them() -> None:
    assert "false_sums" not in sums(_answer("Paris, since 987."))


def test_a_number_that_is_still_being_written_is_not_judged() -> None:
    assert "false_sums" not in sums(_answer("6 + 6 = 1", finish_reason=None))
    assert "false_sums" not in sums(_answer("6 + 6 = 1", finish_reason="length"))
    assert sums(_answer("6 + 6 = 1"))["false_sums"] == 1.0


def test_only_the_first_hundred_sums_are_looked_at() -> None:
    assert sums(_answer("1 + 1 = 2.\n" * 100 + "1 + 1 = 3.\n" * 100))["false_sums"] == 0.0


def test_the_share_of_the_numbers_given_that_are_used_is_told() -> None:
    question = "I had 1,200 and gave half to each of three friends, 4.5 times."
    assert sums(Exchange(question, "1200 / 2 = 600. 3 get it.", finish_reason="stop"))["numbers_used"] == 3 / 4


def test_the_numbers_of_half_an_answer_are_not_counted() -> None:
    assert sums(Exchange("What is 17 times 23?", "First, 17", finish_reason=None)) == {}


def test_one_number_alone_need_not_be_used() -> None:
    assert sums(_answer("Paris.")) == {}
    assert sums(Exchange("Who won in 1998?", "France.", finish_reason="stop")) == {}


def test_numbers_that_are_not_used_at_all_are_told() -> None:
    assert sums(Exchange("What is 17 times 23?", "I can't say.", finish_reason="stop")) == {"numbers_used": 0.0}


def test_a_sum_that_ends_in_a_fraction_is_told() -> None:
    assert sums(_answer("7 / 2 = 3.5 cars"))["uneven_end"] == 1.0
    assert sums(_answer("8 / 2.5 = 3.2, so 4 cars"))["uneven_end"] == 0.0
    assert "uneven_end" not in sums(_answer("7 / 2 = 3.5 cars", finish_reason=None))


@given(st.text(), st.text(st.sampled_from("0123456789²٣,.+= two"), max_size=200), st.sampled_from((None, "stop")))
def test_the_values_are_shares_whatever_was_written(question: str, text: str, finish_reason: str | None) -> None:
    for asked in (question, text):
        values = sums(Exchange(asked, text, finish_reason=finish_reason))
        assert all(0.0 <= value <= 1.0 for value in values.values())
