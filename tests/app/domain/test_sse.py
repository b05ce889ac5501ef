"""Whole events out of any bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.sse import DONE, EventSplitter, OversizedEventError, encode, payloads

#: What a `data:` line may hold: no line end, and more than nothing.
TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: bool(text.encode().strip())
)
LINE_ENDS = st.sampled_from(["\n", "\r", "\r\n"])
NOISE = st.sampled_from(
    [": keep-alive", ":", "id: 7", "retry: 100", "event: message", "data:", "data: ", "data", "nonsense", "x: y"]
)


@st.composite
def events(draw: st.DrawFn) -> tuple[str, list[str]]:
    """An event stream as a server may write it, and the data of its events."""
    wire, found = "", []
    for _ in range(draw(st.integers(0, 4))):
        for noise in draw(st.lists(NOISE, max_size=2)):
            # a blank line after it: what belongs to no data is an event of its own here
            wire += noise + draw(LINE_ENDS) + draw(LINE_ENDS.filter(lambda end: end != "\n"))
        lines = draw(st.lists(TEXT, min_size=1, max_size=3))
        before = draw(st.sampled_from(["", "event: x", "id: 1", ": note"]))
        for line in [before] * bool(before) + ["data: " + line for line in lines]:
            wire += line + draw(LINE_ENDS)
        wire += draw(LINE_ENDS.filter(lambda end: end != "\n"))
        found.append("\n".join(lines))
    return wire, found


def fed(content: bytes, places: set[int]) -> bytes:
    """What comes out when the content is cut at these places."""
    splitter = EventSplitter()
    bounds = [0, *sorted(places), len(content)]
    return b"".join(splitter.feed(content[start:end]) for start, end in pairwise(bounds))


def places_in(content: bytes) -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(0, len(content)))


@given(stream=events(), data=st.data())
def test_the_data_comes_out_wherever_the_bytes_are_cut(stream: tuple[str, list[str]], data: st.DataObject) -> None:
    wire, found = stream
    content = wire.encode()

    assert [event.decode() for event in payloads(fed(content, data.draw(places_in(content))))] == found


@given(stream=events(), data=st.data())
def test_the_very_bytes_that_come_out_do_not_depend_on_the_cuts(
    stream: tuple[str, list[str]], data: st.DataObject
) -> None:
    content = stream[0].encode()

    assert fed(content, data.draw(places_in(content))) == b"".join(
        encode(event) for event in payloads(fed(content, set()))
    )


@given(content=st.binary(), data=st.data())
def test_any_bytes_at_all_give_whole_data_events_or_nothing(content: bytes, data: st.DataObject) -> None:
    out = fed(content, data.draw(places_in(content)))

    assert out == b"" or (out.startswith(b"data: ") and out.endswith(b"\n\n"))
    assert out == b"".join(encode(event) for event in payloads(out))
    assert all(event.strip() for event in payloads(out))
    assert b"\r" not in out


@given(texts=st.lists(TEXT, min_size=1))
def test_plain_events_come_out_as_they_came(texts: list[str]) -> None:
    content = b"".join(encode(text.encode()) for text in texts)

    assert EventSplitter().feed(content) == content


@given(
    text=st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])).filter(lambda text: text.strip())
)
def test_what_is_encoded_is_what_is_read(text: str) -> None:
    assert [event.decode() for event in payloads(encode(text.encode()))] == [text]


@pytest.mark.parametrize(
    "noise", [b": ping\n\n", b"retry: 100\n\n", b"id: 1\n\n", b"event: x\n\n", b"data: \n\n", b"data:\n\n"]
)
def test_what_has_no_data_is_left_out(noise: bytes) -> None:
    assert EventSplitter().feed(noise) == b""
    assert EventSplitter().feed(noise + DONE + noise) == DONE


@pytest.mark.parametrize("blank", [b" ", b"\t", b"  ", b" \t "])
def test_blank_data_is_left_out_among_plain_events_too(blank: bytes) -> None:
    assert EventSplitter().feed(b"data: 1\n\ndata: " + blank + b"\n\ndata: 2\n\n") == b"data: 1\n\ndata: 2\n\n"


def test_names_and_numbers_of_events_are_left_out_and_their_data_is_kept() -> None:
    assert EventSplitter().feed(b"event: error\nid: 3\ndata: {}\n\n") == b"data: {}\n\n"


def test_data_without_a_space_is_data() -> None:
    assert EventSplitter().feed(b"data:{}\n\n") == b"data: {}\n\n"


def test_only_one_space_belongs_to_the_field() -> None:
    assert payloads(EventSplitter().feed(b"data:  x\n\n")) == [b" x"]


def test_an_event_comes_out_as_soon_as_it_ends_with_carriage_returns() -> None:
    splitter = EventSplitter()

    assert splitter.feed(b"data: 1\r\r") == b"data: 1\n\n"
    assert splitter.feed(b"\ndata: 2\r\n\r\n") == b"data: 2\n\n"


def test_a_multi_byte_character_may_be_cut() -> None:
    splitter, content = EventSplitter(), "data: 日🙂\n\n".encode()
    out = [splitter.feed(content[place : place + 1]) for place in range(len(content))]

    assert b"".join(out) == content
    assert out[:-1] == [b""] * (len(content) - 1)


def test_what_is_left_at_the_end_can_be_seen() -> None:
    splitter = EventSplitter()
    splitter.feed(b"data: 1\n\ndata: 2\n")

    assert splitter.rest == b"data: 2\n"


def test_an_event_longer_than_the_limit_is_an_error() -> None:
    splitter = EventSplitter(limit=20)
    splitter.feed(b"data: " + b"x" * 14)
    with pytest.raises(OversizedEventError):
        splitter.feed(b"x")


def test_a_long_event_is_fine_once_it_has_ended() -> None:
    content = b"data: " + b"x" * 100 + b"\n\n"

    assert EventSplitter(limit=20).feed(content) == content
