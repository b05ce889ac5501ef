"""Lines out of any bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.upstream.lines import LineSplitter, OversizedLineError

LINES = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), max_size=8)


@given(lines=LINES, rest=st.sampled_from([b"", b"half"]), data=st.data())
def test_lines_come_out_whole_wherever_the_bytes_are_cut(lines: list[str], rest: bytes, data: st.DataObject) -> None:
    content = b"".join(line.encode() + b"\n" for line in lines) + rest
    places = data.draw(st.sets(st.integers(0, len(content))))
    splitter, found = LineSplitter(), list[bytes]()
    for start, end in pairwise([0, *sorted(places), len(content)]):
        found += splitter.feed(content[start:end])

    assert found == [line.encode() for line in lines if line.encode().strip()]
    assert splitter.rest == rest


def test_a_line_without_an_end_is_given_up() -> None:
    splitter = LineSplitter(limit=10)
    splitter.feed(b"12345\n1234567890")
    with pytest.raises(OversizedLineError):
        splitter.feed(b"1")


def test_a_long_line_is_fine_once_it_has_ended() -> None:
    assert LineSplitter(limit=10).feed(b"123456789012345\n") == [b"123456789012345"]
