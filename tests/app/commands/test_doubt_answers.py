"""An answer in plain words is judged with care."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.doubt_answers import Question, fold, right

AUSTRALIA = Question(
    "capitals", "capital", "What is the capital of Australia?", ("Canberra",), ("Sydney", "Vienna"), "Australia"
)
MEXICO = Question("capitals", "capital", "What is the capital of Mexico?", ("Mexico City",), ("Lima",), "Mexico")
COLOMBIA = Question("capitals", "capital", "What is the capital of Colombia?", ("Bogotá",), ("Lima",), "Colombia")
GRENADA = Question(
    "capitals", "capital", "What is the capital of Antigua and Barbuda?", ("St. John's",), ("Roseau",), "Antigua"
)
LEONE = Question(
    *("currencies", "currency", "What is the currency of Sierra Leone?"),
    *(("Sierra Leonean leone", "leone"), ("US dollar", "dollar"), "Sierra Leone"),
)
CANADA = Question(
    *("currencies", "currency", "What is the currency of Canada?"),
    *(("Canadian dollar", "the dollar", "is dollar"), ("US dollar", "euro", "dollar"), "Canada"),
)
SODIUM = Question("symbols", "symbol", "What is the chemical symbol for sodium?", ("Na",), form="symbol")
INDIUM = Question("symbols", "symbol", "What is the chemical symbol for indium?", ("In",), form="symbol")
SUM = Question("sums", "sum", "Calculate 7 + 15.", ("22",), form="number")
LARGE = Question("sums", "product", "What is 617 times 2?", ("1234",), form="number")
BELOW = Question("sums", "difference", "Calculate 3 - 8.", ("-5",), form="number")
FORTY = Question("spelling", "number", "How is the number 40 spelled?", ("forty",), (), "40", "words")
LONG = Question(
    *("spelling", "number", "How is the number 542 spelled?", ("five hundred forty-two",)), subject="542", form="words"
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (AUSTRALIA, "Canberra"),
        (AUSTRALIA, "The capital of Australia is CANBERRA."),
        (AUSTRALIA, "It is not Sydney, it is Canberra."),
        (AUSTRALIA, "Sydney is not the capital; that is Canberra."),
        (AUSTRALIA, "Good question! It's Canberra, rather than Sydney."),
        (MEXICO, "The capital of Mexico is Mexico City."),
        (COLOMBIA, "Bogota, Colombia"),
        (GRENADA, "The capital is St. John's."),
        (GRENADA, "Saint who? St John\u2019s!"),
        (LEONE, "The currency of Sierra Leone is the leone."),
        (CANADA, "The Canadian Dollar (CAD), not the US dollar."),
        (CANADA, "The currency is the dollar."),
        (SODIUM, "Na"),
        (SODIUM, "**Na**."),
        (SODIUM, "In chemistry, the symbol for sodium is Na, from natrium."),
        (SODIUM, 'Sodium has the symbol "Na".'),
        (INDIUM, "In"),
        (INDIUM, "The chemical symbol for indium is In."),
        (SUM, "22"),
        (SUM, "7 + 15 = 22."),
        (SUM, "First, 7 + 10 = 17. Then 17 + 5 = 22"),
        (SUM, "7 + 15 equals 22, as 7 and 15 are added."),
        (SUM, "7 + 15 = 7 + 10 + 5 = 22"),
        (SUM, "7 + 15 = 22\n\nThis is like 10 * 2 = 20."),
        (SUM, "The result is 22, as 7 plus 15 is 22 and 22 - 7 = 15."),
        (LARGE, "It is 1,234."),
        (BELOW, "3 - 8 = -5"),
        (BELOW, "3 - 8 = \u22125"),
        (FORTY, "forty"),
        (FORTY, "The number 40 is spelled 'forty'."),
        (FORTY, "One way to spell 40 is Forty, as in forty days."),
        (LONG, "The number 542 is spelled 'five hundred and forty-two'."),
        (LONG, "Five hundred forty two"),
    ],
)
def test_what_states_the_truth_is_right(question: Question, answer: str) -> None:
    assert right(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (AUSTRALIA, ""),
        (AUSTRALIA, "I don't know."),
        (AUSTRALIA, "The capital of Australia is Sydney."),
        (AUSTRALIA, "Sydney, although the parliament is in Canberra."),
        (AUSTRALIA, "The capital of Australia is not Canberra."),
        (AUSTRALIA, "Canberran"),
        (MEXICO, "Mexico"),
        (LEONE, "The currency of Sierra Leone is the US dollar."),
        (LEONE, "Sierra Leone is a country in Africa."),
        (CANADA, "Canada pays with the US dollar."),
        (CANADA, "The currency of Canada is the Hong Kong dollar."),
        (SODIUM, "na"),
        (SODIUM, "NA"),
        (SODIUM, "The chemical symbol for sodium is NaCl."),
        (SODIUM, "The chemical symbol for sodium is S, sometimes written (Na)."),
        (SODIUM, "Sodium is a metal."),
        (INDIUM, "In chemistry, it is Id."),
        (SUM, "7 + 15 = 21"),
        (SUM, "To add 7 and 15, we combine them."),
        (SUM, "The answer is 22.5"),
        (SUM, "The result is 221."),
        (SUM, "22 is near, but 7 + 15 = 23."),
        (LARGE, "It is 12,34."),
        (BELOW, "3 - 8 = 5"),
        (FORTY, "The number 40 is spelled 'fourty'."),
        (FORTY, "The number 40 is spelled 'forty-four'."),
        (FORTY, "The number 40 is spelled '40'."),
        (FORTY, "The number 40 is spelled 'four hundred'."),
        (FORTY, "fourty"),
        (LONG, "The number 542 is spelled 'five hundred and forty'."),
        (LONG, "The number 542 is spelled 'fifty-four two'."),
    ],
)
def test_what_does_not_state_it_or_states_another_is_wrong(question: Question, answer: str) -> None:
    assert not right(question, answer)


def test_an_unknown_form_is_an_error() -> None:
    with pytest.raises(KeyError):
        right(Question("sums", "sum", "1 + 1?", ("2",), form="poem"), "2")


def test_folding_leaves_words_alone() -> None:
    assert fold("N\u2019Djamena, Port-au-Prince & São Tomé!") == "ndjamena port au prince sao tome"


@given(st.text())
def test_any_text_can_be_judged_and_folding_twice_changes_nothing(text: str) -> None:
    for question in (AUSTRALIA, SODIUM, SUM, FORTY):
        assert right(question, text) in (True, False)
    assert fold(fold(text)) == fold(text)


@given(st.integers(-(10**9), 10**9), st.booleans())
def test_a_number_is_known_with_and_without_its_commas(number: int, commas: bool) -> None:
    question = Question("sums", "sum", "How much?", (str(number),), form="number")
    assert right(question, f"The result is {number:,}." if commas else f"= {number}")
