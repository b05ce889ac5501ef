"""Where a stop string ends an answer, in one piece or across a seam."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.domain.stops import Stops

LETTERS = st.text("ab", max_size=12)
STOPS = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3).map(tuple)


def fed(matcher: Stops, pieces: Iterable[str]) -> str:
    return "".join([matcher.feed(piece) for piece in pieces]) + matcher.rest()


@given(st.lists(LETTERS), STOPS)
def test_text_is_cut_at_the_same_place_however_it_comes_in_pieces(pieces: list[str], stops: tuple[str, ...]) -> None:
    text = "".join(pieces)
    assert fed(Stops(stops), pieces) == fed(Stops(stops), text) == fed(Stops(stops), [text])


@given(st.lists(LETTERS), st.text("ab", min_size=1, max_size=4))
def test_no_stop_string_gets_through_and_nothing_before_it_is_lost(pieces: list[str], stop: str) -> None:
    matcher = Stops((stop,))

    assert fed(matcher, pieces) == "".join(pieces).partition(stop)[0]
    assert matcher.hit == (stop in "".join(pieces))


def test_what_can_no_longer_become_a_stop_string_is_let_through_at_once() -> None:
    matcher = Stops(("\n\nUser:", "END"))

    assert [matcher.feed(piece) for piece in ["a\n", "\n", "Us", "age", "E"]] == ["a", "", "", "\n\nUsage", ""]
    assert matcher.rest() == "E"


def test_the_longer_of_two_stop_strings_that_end_together_is_cut_whole() -> None:
    assert fed(Stops(("b", "ab")), ["a", "b"]) == ""


@pytest.mark.parametrize("stops", [(), ("",)])
def test_without_a_stop_string_everything_is_let_through_at_once(stops: tuple[str, ...]) -> None:
    assert Stops(stops, "a").feed("abc") == "abc"


def test_a_stop_string_that_spans_the_seam_ends_the_answer() -> None:
    matcher = Stops(("STOP",), "words ST")

    assert (matcher.feed("O"), matcher.hit) == ("", False)
    assert (matcher.feed("P and more"), matcher.hit) == ("", True)


def test_nothing_is_let_through_after_a_stop_string() -> None:
    matcher = Stops(("STOP",))

    assert matcher.feed("a STOP b") == "a "
    assert (matcher.feed("c"), matcher.rest()) == ("", "")


def test_what_only_began_like_a_stop_string_before_the_seam_costs_nothing_after_it() -> None:
    matcher = Stops(("STOP",), "words ST")

    assert [matcher.feed(piece) for piece in ["O", "R", "Y"]] == ["", "OR", "Y"]
    assert not matcher.hit


def test_a_stop_string_that_was_complete_before_the_seam_is_past() -> None:
    matcher = Stops(("ab", "xabc"), "xab")

    assert (matcher.feed("d"), matcher.hit) == ("d", False)


@given(LETTERS, st.lists(LETTERS), STOPS)
@example("xab", ["a", "b"], ("abab",))
def test_stop_strings_hold_across_every_seam_but_what_was_sent_stays_sent(
    written: str, pieces: list[str], stops: tuple[str, ...]
) -> None:
    assume(not any(stop in written for stop in stops))
    text = written + "".join(pieces)
    matcher = Stops(stops, written)

    assert written + fed(matcher, pieces) == text[: max(len(written), len(fed(Stops(stops), [text])))]
    assert matcher.hit == any(stop in text for stop in stops)


@given(LETTERS, LETTERS, STOPS)
def test_text_that_was_held_back_before_the_seam_comes_after_it(
    before: str, after: str, stops: tuple[str, ...]
) -> None:
    first = Stops(stops)
    sent = first.feed(before)
    assume(not first.hit)

    assert sent + fed(Stops(stops, sent), [(before + after)[len(sent) :]]) == fed(Stops(stops), [before + after])
