"""How much of an answer is said again, and whether it ends in a loop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.repetition import repetition

CODE = "\n".join(f"    self.value_{at} = values[{at}]" for at in range(60))
TABLE = "| n | a | b | c |\n|---|---|---|---|\n" + "\n".join(f"| {at} | yes | no | yes |" for at in range(60))
MATRIX = "    [0, 0, 0, 0, 0, 0],\n" * 6
SONG = (
    "Row, row, row your boat,\nGently down the stream.\nMerrily, merrily, merrily, merrily,\nLife is but a dream.\n" * 2
)
REFRAIN = "We all live in a yellow submarine,\n" * 3


def loops(text: str, question: str = "What is it?") -> bool:
    return repetition(Exchange(question, text))["loop"] == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "asdf " * 30,
        "asdf " * 30 + "as",
        "The answer is " + "very " * 40,
        "The same sentence goes on. " * 8,
        "First something else, and then it begins.\n" + "1. It is so because it is so and always was so.\n" * 5,
        "A whole long paragraph comes back, with many words and more than one sentence in it. It says something, and "
        "then it says it all again from its first word on.\n\n" * 4,
        "我" * 200,
        "我不知道。" * 40,
        "a" * 700,
        "0" * 700,
        "\n" + "- item\n" * 40,
        "Paris" + "\n" * 700,
    ],
)
def test_the_same_piece_again_and_again_is_a_loop(text: str) -> None:
    assert loops(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris",
        "ha ha ha",
        "no no no no",
        "1 1 1",
        "1 " * 30,
        "=" * 120,
        "." * 80,
        "1" + "0" * 100,
        CODE,
        TABLE,
        MATRIX,
        SONG,
        REFRAIN,
        "asdf " * 30 + "and then the text goes on with something else that is new.",
    ],
)
def test_lists_tables_refrains_and_code_are_no_loops(text: str) -> None:
    assert not loops(text)


def test_a_loop_is_seen_while_it_is_written_and_not_before() -> None:
    seen = [count for count in range(60) if loops("The capital is Canberra. " + "asdf " * count)]

    assert seen[0] * len("asdf ") in range(100, 150)
    assert seen == list(range(seen[0], 60))


@pytest.mark.parametrize(
    "question",
    ["Repeat the word asdf", "Say asdf 30 times", "Write asdf thirty or 30 times, please", "Schreibe asdf 30 mal"],
)
def test_what_was_asked_for_many_times_is_no_loop_and_no_measure(question: str) -> None:
    assert repetition(Exchange(question, "asdf " * 30)) == {"loop": 0.0}


def test_a_sum_asks_for_nothing_many_times() -> None:
    assert loops("asdf " * 30, "What is 3 times 4?")


def test_the_share_is_none_where_all_is_new_and_nearly_all_where_nothing_is() -> None:
    def share(text: str) -> float:
        return repetition(Exchange("q", text))["repetition"]

    assert share("The capital of Australia is Canberra, and not Sydney.") == 0.0
    assert share("asdf " * 30) > 0.9
    assert share("我不知道。" * 40) > 0.9
    assert share(TABLE) < 0.5 < share(REFRAIN)


@given(st.text(), st.text())
def test_values_are_in_their_range(question: str, text: str) -> None:
    values = repetition(Exchange(question, text))

    assert values["loop"] in (0.0, 1.0)
    assert 0.0 <= values["repetition"] <= 1.0


@given(st.text(alphabet="ab ", min_size=1, max_size=30))
def test_any_piece_with_a_letter_is_a_loop_after_forty_times(piece: str) -> None:
    text = (piece + "x") * 40
    assert loops(text) == (len(text) >= 120)


@pytest.mark.parametrize("piece", ["a", "ab", " ", "\n", "say 1 ", "aab", "x" * 1000 + "y"])
def test_a_long_answer_costs_no_more_than_its_end(piece: str) -> None:
    assert repetition(Exchange("q", piece * 100_000)) == repetition(Exchange("q", (piece * 100_000)[-2000:]))
