"""White space that the client has already does not come twice, and none that it lacks is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.anthropic_lead import Lead

WHITE = st.text(" \n\t", max_size=5)


def led(had: str, *pieces: str) -> str:
    lead = Lead(had)
    return "".join(map(lead.feed, pieces)) + lead.rest()


@given(st.text("ab \n\t", max_size=24), st.data())
def test_a_model_that_goes_on_exactly_makes_the_whole_wherever_it_is_cut(whole: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(whole)))
    sent = whole[:place].rstrip()
    rest = whole[len(sent) :]
    cut = data.draw(st.integers(0, len(rest)))
    assert whole[:place] + led(whole[len(sent) : place], rest[:cut], rest[cut:]) == whole


@given(WHITE, st.text("ab \n", max_size=8), st.data())
def test_a_model_that_writes_only_the_end_of_the_white_space_makes_the_same(
    had: str, rest: str, data: st.DataObject
) -> None:
    again = had[data.draw(st.integers(0, len(had))) :]
    assert led(had, *again, "x", *rest) == "x" + rest


@pytest.mark.parametrize("said", ["b", "\nb", " \nb", " b"])
def test_white_space_that_is_there_already_is_left_out(said: str) -> None:
    assert led(" \n", *said) == "b"


@pytest.mark.parametrize(("said", "left"), [(" \n  b", "  b"), ("\n\nb", "\nb"), ("\tb", "\tb"), ("b \n", "b \n")])
def test_white_space_that_is_new_stays(said: str, left: str) -> None:
    assert led(" \n", *said) == left


@given(st.lists(WHITE))
def test_an_answer_from_its_beginning_goes_through_as_it_comes(pieces: list[str]) -> None:
    lead = Lead("")
    assert [lead.feed(piece) for piece in pieces] == pieces
    assert lead.rest() == ""
