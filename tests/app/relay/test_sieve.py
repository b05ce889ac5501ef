"""What of the events of an answer its client gets, however they come in blocks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import StreamBrokenError
from app.domain.sse import DONE, encode
from app.relay.sieve import Sieve
from tests.app.builders import USAGE, delta, event, usage_event

STOP = delta(finish_reason="stop")
SPOKEN = [
    delta("", role="assistant"),
    delta("Hi"),
    delta(" there", role="assistant"),
    delta('say "error" and "role"'),
    STOP,
    delta("more"),
    usage_event(),
    DONE,
    delta("and more"),
]
KEPT = SPOKEN[0] + SPOKEN[1] + delta(" there") + SPOKEN[3] + STOP + DONE


def sieve(*, include_usage: bool = False, single: bool = True) -> Sieve:
    return Sieve("box", include_usage=include_usage, single=single)


@given(st.sets(st.integers(1, len(SPOKEN) - 1)))
def test_the_client_gets_the_same_however_the_events_come_in_blocks(cuts: set[int]) -> None:
    made, out = sieve(), b""
    places = [0, *sorted(cuts), len(SPOKEN)]
    for start, end in pairwise(places):
        if not made.ended:
            block = b"".join(SPOKEN[start:end])
            out += made.feed(block)
            made.spoken = True

    # a first block that holds both roles is one server's own way: only later ones are seen to repeat it
    assert out in (KEPT, KEPT.replace(delta(" there"), SPOKEN[2]))
    assert made.usage == USAGE
    assert made.ended


def fed(*blocks: bytes) -> Sieve:
    made = sieve()
    for block in blocks:
        made.feed(block)
    return made


def test_an_answer_is_proven_once_a_finish_reason_has_come() -> None:
    assert not sieve().proven
    assert not fed(delta("Hi")).proven
    assert fed(delta("Hi"), STOP).proven


@pytest.mark.parametrize("spelling", [b'"finish_reason":"stop"', b'"finish_reason": "stop"'])
def test_every_way_to_space_it_is_understood(spelling: bytes) -> None:
    assert fed(b'data: {"choices":[{%b}]}\n\n' % spelling).proven


@pytest.mark.parametrize("words", ['"finish_reason":"stop"', '{"finish_reason": "stop"}', '\\"finish_reason":"stop"'])
def test_words_that_look_like_a_finish_reason_are_none(words: str) -> None:
    assert not fed(delta(words)).proven


def test_what_came_after_the_finish_reason_does_not_undo_it() -> None:
    assert fed(delta(finish_reason="length"), event(usage=USAGE)).proven


def test_what_comes_before_a_bad_event_is_let_through_and_the_error_kept() -> None:
    made = sieve()

    assert made.feed(delta("Hi") + encode(b'{"choices": [{"ind')) == delta("Hi")
    assert made.bad is not None
    assert "no JSON" in made.bad.message


@pytest.mark.parametrize("bad", [b'{"a": 1', b"[7]", b'{"error": {"message": "lost"}}'])
def test_a_block_that_begins_with_a_bad_event_is_refused(bad: bytes) -> None:
    with pytest.raises(StreamBrokenError, match="backend 'box'"):
        sieve().feed(encode(bad) + delta("Hi"))


def test_several_choices_each_have_their_end() -> None:
    made = sieve(single=False)
    ends = [delta(index=index, finish_reason="stop") for index in (0, 1)]
    middle = delta("late", index=1)

    assert made.feed(ends[0]) + made.feed(middle) + made.feed(ends[1] + DONE) == ends[0] + middle + ends[1] + DONE


def test_there_is_no_end_without_a_finish_reason() -> None:
    made = sieve()
    assert made.feed(delta("Hi") + DONE) == delta("Hi")

    assert made.bad is not None
    assert not made.ended


def test_an_error_that_is_null_is_taken_out() -> None:
    assert sieve().feed(event({"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}, error=None)) == delta(
        "Hi"
    )
