"""Tests of the sums that a text states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.arithmetic import sums, worked_out

TRUE = [
    "16 - 3 = 13",
    "9 * $2 = $18",
    "<<9*2=18>>18",
    "15 + 25 = 40 cups",
    "82.5 / 3 = 27.5",
    "20% of 50 = 10",
    "10 / 50 = 20%",
    "10/50 * 100 = 20%",
    "100% - 20% = 80%",
    "80,000 + 50,000 = $<<80000+50000=130000>>130,000",
    "10/3 = 3.33",
    "2/3 = 0.66",
    "10/3 ≈ 3.3",
    "3 * 4 + 2 = 12 + 2 = 14",
    "(3+4)*2 = 14",
    "20 x 4 = 80 sheep",
    "3 eggs + 4 eggs = 7 eggs",
    "She had 5 apples and 3 + 4 = 7 pears",
    "2 * $1.5 million = $3,000,000",
    "**3 + 4 = 7**",
    "so 3 + 4 = **7**.",
    r"\$3 \times 4 = \$12",
    "-3 + 5 = 2",
    "4 \u2212 1 = 3",
    "5 weeks * 7 days/week = 35 days",
]

FALSE = [
    "16 - 3 = 12",
    "9 * $2 = $19",
    "20% of 50 = 11",
    "10 / 3 = 3.5",
    "1,000 * 3 = 300",
    "(3+4)*2 = 11",
    "<<5+5=11>>11",
]

UNTOLD = [
    "2x + 3 = 7",
    "x + 3 = 5",
    "x = 3 + 4",
    "3 + 4 = x",
    "3 + 4 = 2x",
    "4 * y + 2 = 10",
    "f(3) + 1 = 9",
    "1 1/2 + 1 1/2 = 3",
    "2 hours + 30 minutes = 150 minutes",
    "$0.25 * 4 = 100 cents",
    "50 + 20% = 60",
    "10:30 + 2:00 = 12:30",
    "H2 + O2 = H2O",
    "3 feet = 36 inches",
    "82,5 / 3 = 27,5",
    "3 + 4 = 130,00",
    "7 / 2 = 3 remainder 1",
    "2^3 + 1 = 9",
    "2 ** 3 = 8",
    "3 + 4 == 8",
    "5 / 0 = 1",
    "3 + = 7",
    "a=1&b=2",
    "7 + 3 = ",
    "1+" * 900 + "1 = 901",
    "x" * 3000 + " 1 + 1 = 3",
]


@pytest.mark.parametrize("text", TRUE)
def test_a_sum_that_holds_is_told(text: str) -> None:
    assert set(sums(text)) == {True}


@pytest.mark.parametrize("text", FALSE)
def test_a_sum_that_does_not_hold_is_told(text: str) -> None:
    assert set(sums(text)) == {False}


@pytest.mark.parametrize("text", UNTOLD)
def test_what_is_no_plain_sum_is_left_out(text: str) -> None:
    assert list(sums(text)) == []


def test_each_step_of_a_chain_is_a_sum() -> None:
    assert list(sums("3 * 4 + 2 = 14 + 2 = 15")) == [False, False]


def test_a_number_that_may_have_been_cut_is_left_out() -> None:
    assert list(sums("1 + 1 = 2, 6 + 6 = 1", cut=True)) == [True]


@given(st.integers(-9999, 9999), st.integers(-9999, 9999), st.integers(-2, 2))
def test_whole_numbers_hold_exactly(one: int, other: int, off: int) -> None:
    assert list(sums(f"{one} + {other} = {one + other + off}.")) == [off == 0]


@given(st.integers(1, 9999), st.integers(1, 99), st.integers(1, 4))
def test_a_quotient_holds_when_it_is_rounded(one: int, other: int, places: int) -> None:
    assert list(sums(f"{one} / {other} = {one / other:.{places}f}")) == [True]


@given(st.text(st.sampled_from("0123456789+-*/()=$%., x\n<>e≈²٣"), max_size=200), st.booleans())
def test_nothing_that_is_written_raises(text: str, cut: bool) -> None:
    assert set(sums(text, cut=cut)) <= {True, False}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("18 times 5 is 80.", False),
        ("18 times 5 is 90.", True),
        ("13 plus 4 equals 17", True),
        ("9 multiplied by 10 is 90", True),
        ("20 minus 5 is equal to 14.", False),
        ("10 divided by 4 is 2.5", True),
        ("To add them, 3 + 4 is 8.", False),
        ("$3 plus $4 makes $7", True),
    ],
)
def test_sums_in_words_are_sums(text: str, holds: bool) -> None:
    assert list(sums(text)) == [holds]


@pytest.mark.parametrize(
    "text",
    ["He is 80.", "At 5 is 80.", "It was 7 times 3", "5 times the 3 is 15", "3 times a day is 9 pills", "5 is 4"],
)
def test_words_between_numbers_are_not_always_sums(text: str) -> None:
    assert list(sums(text)) == []


@pytest.mark.parametrize(
    ("expression", "result"), [("17 * 23", 391), ("2 plus 3 times 4", 14), ("(2 + 3) * 4", 20), ("20% of 50", 10)]
)
def test_an_expression_is_worked_out(expression: str, result: float) -> None:
    assert worked_out(expression) == pytest.approx(result)


@pytest.mark.parametrize(
    "expression", ["", "17", "17 +", "17 * x", "3 apples + 4", "1 / 0", "$3 + $4", "(" * 2000 + "1"]
)
def test_what_is_no_sum_is_not_worked_out(expression: str) -> None:
    assert worked_out(expression) is None
