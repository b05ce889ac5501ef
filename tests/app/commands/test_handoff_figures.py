"""What the moves of many answers come to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.handoff_figures import Move, divergence, percentile, summarise, table

MOVE = Move("kv", diverged_after=None, stall_ms=10.0, largest_gap_ms=12.0, cache_reuse=0.5, prepared=False)


def test_a_percentile_is_one_of_the_values_whatever_their_order() -> None:
    values = [float(value) for value in reversed(range(1, 201))]

    assert [percentile(values, percent) for percent in (0, 50, 99, 100)] == [1.0, 100.0, 198.0, 200.0]
    assert percentile([7.0], 99) == 7.0


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("one two three", None),
        ("One two three", 0),
        ("one twelve", 1),
        ("one two", 2),
        ("one two thirty", 2),
        ("one two three four", 3),
        ("", 0),
    ],
)
def test_an_answer_diverges_in_the_piece_where_its_text_first_differs(text: str, place: int | None) -> None:
    assert divergence(["one", " two", " three"], text) == place


@given(st.lists(st.text(min_size=1), min_size=1))
def test_how_a_text_is_cut_into_pieces_makes_no_difference_to_whether_it_diverges(pieces: list[str]) -> None:
    whole = "".join(pieces)

    assert divergence(pieces, whole) is None
    assert divergence(pieces, whole[:-1]) == len(pieces) - 1
    assert divergence(pieces, whole + "x") == len(pieces)


def test_each_continuation_that_was_used_has_a_row_of_its_own_moves() -> None:
    moves = [MOVE, replace(MOVE, continuation="tokens", stall_ms=40.0, diverged_after=6), replace(MOVE, stall_ms=30.0)]

    kv, tokens = summarise(moves, [1.0, 2.0, 3.0], 3000.0)

    assert (kv.continuation, kv.moves, kv.identical, kv.diverged_after) == ("kv", 2, 2, None)
    assert (tokens.continuation, tokens.moves, tokens.identical, tokens.diverged_after) == ("tokens", 1, 0, 6)
    assert (kv.stall_ms, tokens.stall_ms) == ((10.0, 30.0), (40.0, 40.0))
    assert kv.ordinary_gap_ms == (2.0, 3.0)
    assert kv.bytes_per_move == 1000.0


def test_what_nobody_knows_is_not_counted_as_nothing() -> None:
    row = summarise([MOVE, replace(MOVE, stall_ms=None, cache_reuse=None)], [], 0.0)[0]

    assert (row.stall_ms, row.cache_reuse, row.ordinary_gap_ms) == ((10.0, 10.0), 0.5, None)


def test_nothing_moved_is_a_table_without_rows() -> None:
    assert len(table(summarise([], [1.0], 5.0))) == 1


def test_the_table_sets_the_largest_gap_beside_the_ordinary_ones() -> None:
    moves = [MOVE, replace(MOVE, diverged_after=3, prepared=True)]

    head, row = table(summarise(moves, [1.0, 8.0], 4096.0))

    def cell(name: str) -> str:
        return row[head.index(name) :].split("  ")[0]

    assert cell("moves") == "2 (1 prepared)"
    assert cell("identical") == "1 (50%)"
    assert cell("diverged after") == "3 tokens"
    assert cell("ordinary gap") == "1.0 / 8.0"
    assert cell("largest gap") == "12.0 / 12.0"
    assert cell("largest/p99") == "1.50"
    assert cell("cache reuse") == "50%"
    assert cell("bytes/move") == "2,048"


def test_what_is_unknown_is_a_dash() -> None:
    head, row = table(summarise([replace(MOVE, stall_ms=None, cache_reuse=None)], [], 0.0))

    assert [row[head.index(name)] for name in ("stall", "ordinary", "largest/p99", "cache")] == ["-", "-", "-", "-"]
