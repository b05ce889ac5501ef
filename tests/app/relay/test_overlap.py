"""What is left out of a continuation because it was written already, and what is not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.relay.overlap import Overlap
from app.relay.seam import SeamRefusedError

FOX = "  The quick brown fox jumps over the lazy dog, and then it goes on to contin"


def fed(written: str, pieces: Iterable[str]) -> str:
    overlap = Overlap(written)
    return "".join([overlap.feed(piece) for piece in pieces]) + overlap.rest()


def outcome(written: str, pieces: Iterable[str]) -> str | None:
    """None when the backend is refused."""
    try:
        return fed(written, pieces)
    except SeamRefusedError:
        return None


@pytest.mark.parametrize("echo", [FOX, FOX.lstrip(), "\n" + FOX.lstrip(), " The quick"])
def test_an_echo_of_all_that_was_written_is_left_out_with_whatever_white_space_before_it(echo: str) -> None:
    written = FOX if len(echo) > 20 else "The quick"

    assert fed(written, [echo + "ue like this."]) == "ue like this."
    assert fed(written, [echo]) == ""


@pytest.mark.parametrize("written", ["The", "Hi, I", "\nHi,"])
def test_a_short_text_is_left_out_too_when_all_of_it_comes_again(written: str) -> None:
    assert fed(written, [written + " then"]) == " then"
    assert fed(written, [written.lstrip() + " then"]) == " then"


@pytest.mark.parametrize("written", ["", "I", "1.", "\n\n"])
def test_one_or_two_characters_are_not_enough_to_be_an_echo(written: str) -> None:
    assert fed(written, [written + " then"]) == written + " then"


def test_an_added_space_is_too_much_of_a_difference_for_a_short_text() -> None:
    assert fed("Wow", [" Wow, really"]) == " Wow, really"


def test_a_backend_that_writes_the_beginning_again_and_then_something_else_is_refused() -> None:
    overlap = Overlap(FOX)

    assert overlap.feed("The quick brown fox jumps") == ""
    with pytest.raises(SeamRefusedError, match="anew"):
        overlap.feed(" over a fence")


def test_a_backend_that_ends_within_the_beginning_that_it_writes_again_is_refused() -> None:
    overlap = Overlap(FOX)

    assert overlap.feed("The quick brown fox jumps over") == ""
    with pytest.raises(SeamRefusedError, match="anew"):
        overlap.rest()


def test_fewer_than_24_characters_of_the_beginning_are_ordinary_text() -> None:
    assert FOX.lstrip()[:23] == "The quick brown fox jum"
    assert fed(FOX, ["The quick brown fox jum", "bles"]) == "The quick brown fox jumbles"
    assert fed(FOX, ["The quick brown fox jum"]) == "The quick brown fox jum"
    assert outcome(FOX, ["The quick brown fox jump", "?"]) is None


@pytest.mark.parametrize(
    ("came", "new"),
    [
        ("continue with that.", "ue with that."),  # it was cut inside a word
        ("contin.", "."),
        ("contin", ""),
        (" continue with", " continue with"),  # a space before it: another word
        ("Continue with", "Continue with"),
        ("con", "con"),
        ("ue with that.", "ue with that."),
    ],
)
def test_the_last_word_is_left_out_when_it_comes_again_right_behind_itself(came: str, new: str) -> None:
    assert fed(FOX, [came]) == new


@pytest.mark.parametrize(("word", "new"), [("can", " do"), ("42b", " do"), ("he", "he do"), ("x_y", "x_y do")])
def test_a_word_has_three_letters_or_digits(word: str, new: str) -> None:
    assert fed(f"... all that {word}", [word + " do"]) == new


def test_the_last_characters_are_left_out_when_at_least_eight_of_them_come_again() -> None:
    written = "A list: apples, pears and plums; "

    assert fed(written, ["d plums; and cherries"]) == "and cherries"
    assert fed(written, [" plums; and cherries"]) == "and cherries"
    assert fed(written, ["plums; and cherries"]) == "plums; and cherries"


def test_the_longest_repetition_is_left_out() -> None:
    written = "We saw a fountain in the park. And then we saw a fountain in the park."

    assert fed(written, ["we saw a fountain in the park. It was old"]) == " It was old"


@pytest.mark.parametrize(
    ("written", "came"),
    [
        ("haha", "haha!"),
        ("hahahaha", "hahahaha!"),
        ("| a | b |\n|----------", "----------|"),
        ("def f():\n            ", "            return"),
        ("| 1 | --- | --- |", " --- | --- |"),
        ("print(1)\nprint(1)\n", "print(1)\nprint(2)"),
        ("the cancan and the can", "can again"),
        ("0, 0, 0, 0, 0, 0", ", 0, 0, 0, 0"),
    ],
)
def test_a_text_that_repeats_itself_may_go_on_with_it(written: str, came: str) -> None:
    assert fed(written, [came]) == came


def test_ordinary_text_is_held_back_for_a_word_or_two() -> None:
    overlap = Overlap(FOX)

    assert overlap.feed(" to") == ""
    assert overlap.feed(" the") == " to the"
    assert overlap.feed(" contin") == " contin"


def test_no_more_than_the_length_of_the_tail_is_held_back_where_the_text_comes_again_from_its_middle() -> None:
    written = "".join(f"{number} bottles of beer on the wall. " for number in range(30))
    overlap = Overlap(written)
    held = [piece for piece in written[500:] if not overlap.feed(piece)]

    assert len(held) < 120


def test_of_nothing_nothing_is_left_out() -> None:
    assert fed("", ["Hi", " Hi"]) == "Hi Hi"


TEXTS = st.text("ab .", max_size=40) | st.text(max_size=20)
WRITTEN = TEXTS | st.just(FOX) | st.just("| --- | --- |\n" * 4)


@st.composite
def continuations(draw: st.DrawFn) -> tuple[str, list[str]]:
    """What was written, and pieces of what comes, which often is some of the same."""
    written = draw(WRITTEN)
    start, end = sorted((draw(st.integers(0, len(written))), draw(st.integers(0, len(written)))))
    text = draw(st.sampled_from(["", " "])) + written[start:end] + draw(TEXTS)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)))))
    return written, [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(continuations())
def test_it_is_the_same_however_it_comes_in_pieces(continuation: tuple[str, list[str]]) -> None:
    written, pieces = continuation
    text = "".join(pieces)

    assert outcome(written, pieces) == outcome(written, [text]) == outcome(written, text)


@given(continuations())
@example((FOX, [FOX]))
def test_only_what_was_written_is_left_out_and_only_at_the_head(continuation: tuple[str, list[str]]) -> None:
    written, pieces = continuation
    text, new = "".join(pieces), outcome(written, pieces)

    if new is not None:
        assert text.endswith(new)
        assert written.endswith(text.removesuffix(new).lstrip())


def unlike(text: str, cut: int) -> bool:
    """Whether what follows the cut begins with something that the text before it does not have."""
    return text[cut:].lstrip()[:3] not in text[:cut]


@given(st.text(), st.data())
def test_the_exact_rest_is_let_through_whole_wherever_a_text_is_cut(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    assume(unlike(text, cut))

    assert text[:cut] + fed(text[:cut], text[cut:]) == text


def test_the_exact_rest_of_ordinary_text_is_let_through_whole_at_every_cut() -> None:
    text = (
        FOX + "ue with its day.\n\n1. First, it can sleep.\n2. Second, it can run.\n\n| a | b |\n|---|---|\n| 0 | 0 |\n"
    )

    for cut in range(len(text)):
        assert text[:cut] + fed(text[:cut], text[cut:]) == text


@given(st.text("ab .", min_size=22, max_size=60).map("x{}x".format) | st.just(FOX), st.text("xyz", max_size=9))
def test_an_echo_is_left_out_or_refused_but_never_doubled(written: str, more: str) -> None:
    assert outcome(written, written + more) in (more, None)
