"""Where what was written ends in an answer that was asked for anew."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.relay.seam import SeamRefusedError
from app.relay.tail import Tail

FOX = "Once upon a time the quick brown fox jumped over the lazy dog, then it ran all the way to its den by the riv"


def fed(written: str, pieces: Iterable[str]) -> str:
    tail = Tail(written)
    return "".join([tail.feed(piece) for piece in pieces]) + tail.rest()


def outcome(written: str, pieces: Iterable[str]) -> str | None:
    """None when the backend is refused."""
    try:
        return fed(written, pieces)
    except SeamRefusedError:
        return None


@pytest.mark.parametrize("start", [0, 10, 70])
def test_only_what_follows_the_tail_is_let_out(start: int) -> None:
    assert fed(FOX, ["Sure, I go on: ", FOX[start:], "er. The end."]) == "er. The end."


def test_a_tail_that_never_comes_is_refused() -> None:
    tail = Tail(FOX)

    assert tail.feed("It lived happily ever after.") == ""
    with pytest.raises(SeamRefusedError, match="never"):
        tail.rest()


def test_less_than_the_tail_is_not_enough() -> None:
    assert outcome(FOX, [FOX[-25:] + "er."]) is None


@pytest.mark.parametrize("written", [FOX, FOX * 3 + "?"])
def test_the_tail_is_refused_when_it_comes_too_late(written: str) -> None:
    limit = max(400, 2 * len(written))
    before = "-" * (limit - len(written))

    assert fed(written, [before + written + "!"]) == "!"
    assert outcome(written, ["-" + before + written + "!"]) is None
    with pytest.raises(SeamRefusedError, match="did not come"):
        Tail(written).feed("-" * limit)


@pytest.mark.parametrize("blank", ["\n", "\n\n    ", "", "  "])
def test_lines_may_be_broken_elsewhere(blank: str) -> None:
    assert fed(FOX, [blank + FOX.replace(" ", blank) + "er"]) == "er"


@pytest.mark.parametrize(
    ("end", "came", "new"),
    [
        ("", " and", " and"),
        (" ", " and", "and"),
        ("\n\n", "\n\nAnd", "And"),
        ("\n", "\n\nAnd", "\nAnd"),
        ("\n    ", "\n    x = 1", "x = 1"),
        ("\n", " and", " and"),
        ("\n\n", "\n", ""),
        ("\n\n", "", ""),
    ],
)
def test_white_space_that_the_client_has_is_not_doubled(end: str, came: str, new: str) -> None:
    assert fed(FOX + end, [FOX + came]) == fed(FOX + end, FOX + came) == new


def test_white_space_later_on_is_let_out() -> None:
    assert fed(FOX + "\n\n", [FOX + "\n", "a\n\nb"]) == "a\n\nb"


@pytest.mark.parametrize("written", ["The fox", "a", " The\nfox ", "日本"])
def test_a_short_text_has_to_come_first(written: str) -> None:
    assert fed(written, [written + "?"]) == "?"
    assert fed(written, ["\n" + written.strip() + "?"]) == "?"
    assert outcome(written, ["So: " + written + "?"]) is None
    with pytest.raises(SeamRefusedError, match="begin"):
        Tail(written).feed("x")


@pytest.mark.parametrize("written", ["", " \n"])
def test_after_nothing_everything_is_let_out(written: str) -> None:
    assert fed(written, ["Hello", " there"]) == "Hello there"


def test_a_tail_that_the_text_repeats_is_lengthened_until_it_is_the_only_one() -> None:
    refrain = "and all the king's horses and all the king's men could not put it together again; "
    written = f"First verse. {refrain}Second verse. {refrain}"

    assert fed(written, [written + "The end."]) == "The end."
    assert outcome(written, [refrain + "The end."]) is None


def test_a_text_that_only_repeats_itself_has_no_place_to_find() -> None:
    with pytest.raises(SeamRefusedError):
        Tail("again and " * 200).feed("again and " * 200)


WRITTEN = st.text("ab ", max_size=80) | st.text() | st.just(FOX) | st.just("never again and " * 5)


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, list[str]]:
    """What was written, and pieces of an answer that mostly has the end of it."""
    written = draw(WRITTEN)
    text = draw(st.text("ab .", max_size=9)) + written[draw(st.integers(0, len(written))) :] + draw(st.text(max_size=9))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)))))
    return written, [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(answers())
def test_it_is_the_same_however_it_comes_in_pieces(answer: tuple[str, list[str]]) -> None:
    written, pieces = answer
    text = "".join(pieces)

    assert outcome(written, pieces) == outcome(written, [text]) == outcome(written, text)


@given(WRITTEN, st.text())
def test_of_the_whole_answer_written_again_exactly_the_rest_is_let_out(written: str, rest: str) -> None:
    assert fed(written, [written + rest]) == rest
