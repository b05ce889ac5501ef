"""Where the last whole sentence ends."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.sse import DONE, encode
from app.relay.sentences import whole_sentences
from tests.app.builders import delta, usage_event


def text(piece: str) -> bytes:
    return encode(orjson.dumps({"object": "text_completion", "choices": [{"index": 0, "text": piece}]}))


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ([], 0),
        (["No", " end"], 0),
        (["Yes", ".", " And"], 2),
        (["Yes", ".", " And", " so", "!", " But"], 5),
        (["What", "?", '"', " he"], 3),
        (["So", '."', " he"], 2),
        (["(", "So", ".)", " he"], 3),
        (["A", " line", "\n", "more"], 3),
        (["東京", "です", "。", "次"], 3),
        (["Why", "!?", " "], 3),
        (["Wait", "…", " what"], 2),
        (["3", ".", "14", " is"], 2),
    ],
)
def test_it_ends_with_its_mark_and_what_closes_it(pieces: Sequence[str], whole: int) -> None:
    assert whole_sentences([delta(piece) for piece in pieces]) == whole
    assert whole_sentences([text(piece) for piece in pieces]) == whole


@pytest.mark.parametrize(
    "odd",
    [
        *(DONE, usage_event(), b": comment\n\n", b"data: {\n\n", b"data: 7\n\n", b'data: {"choices": 7}\n\n'),
        *(
            b'data: {"choices": [7]}\n\n',
            b'data: {"choices": [{"delta": 7}]}\n\n',
            b'data: {"choices": [{"delta": null}]}\n\n',
        ),
        delta("", role="assistant"),
    ],
)
def test_an_event_without_text_ends_nothing_and_disturbs_nothing(odd: bytes) -> None:
    assert whole_sentences([odd]) == 0
    assert whole_sentences([delta("Yes."), odd, delta(" And")]) == 1


@given(st.lists(st.text(max_size=12), max_size=12))
def test_nothing_after_it_is_a_whole_sentence(pieces: list[str]) -> None:
    events = [delta(piece) for piece in pieces]
    whole = whole_sentences(events)

    assert 0 <= whole <= len(events)
    assert whole_sentences(events[:whole]) == whole
    assert not whole or pieces[whole - 1]
