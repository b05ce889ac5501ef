"""The token ids at the head of a slot file, in the old format and in the packed one."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.slot_file import read_ids
from tests.fakes.llamacpp_server import slot_file

IDS = st.lists(st.integers(0, 2**31 - 1))
HEAD = struct.Struct("<III")
MAGIC = 0x67677371


def read(content: bytes) -> tuple[int, ...]:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "slot"
        file.write_bytes(content)
        return read_ids(file)


def plain(words: Sequence[int]) -> bytes:
    return HEAD.pack(MAGIC, 2, len(words)) + struct.pack(f"<{len(words)}i", *words)


@given(ids=IDS, state=st.binary(max_size=64))
def test_ids_are_read_back_whatever_state_follows_them(ids: list[int], state: bytes) -> None:
    assert read(slot_file(ids) + state) == tuple(ids)
    assert read(plain(ids) + state) == tuple(ids)


@given(ids=st.lists(st.integers(0, 2**31 - 1), min_size=1), data=st.data())
def test_a_file_that_ends_amid_its_ids_is_none(ids: list[int], data: st.DataObject) -> None:
    whole = plain(ids)

    with pytest.raises(ValueError, match="slot file"):
        read(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(content=st.binary(max_size=64))
def test_what_is_no_slot_file_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="slot file"):
        read(content)


def test_a_count_that_no_file_could_have_is_not_believed() -> None:
    with pytest.raises(ValueError, match="slot file"):
        read(HEAD.pack(MAGIC, 2, 2**32 - 1) + bytes(8))


@pytest.mark.parametrize(
    "words",
    [
        [-1, 1, 2, 7, 8, 1, 5],  # with media
        [-1, 1, 3, 7, 8, 0],
        [-1, 1, 1, 7, 8, 0],
        [-1, 2, 2, 7, 8, 0],
        [-1, 1, -1, 0],
        [-1, 1],
        [7, -1, 8],
    ],
)
def test_a_list_that_is_not_of_text_alone_is_refused(words: list[int]) -> None:
    with pytest.raises(ValueError, match="tokens"):
        read(plain(words))


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_ids(tmp_path / "slot")
