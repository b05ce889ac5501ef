"""The token ids at the head of a file that llama.cpp saved a slot in.

Source: llama.cpp, `llama_state_seq_save_file` (magic, version, count, so many int32, all little-endian; the model's
state comes after them). Newer servers put `-1, 1, number of ids` before the ids and what they know of media after
them; older ones write the ids alone.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

_HEAD = struct.Struct("<III")
_MAGIC = 0x67677371
_PACKED = (-1, 1)
_NO_MEDIA = (0,)


def read_ids(file: Path) -> tuple[int, ...]:
    """Reads no further than the ids. Raises OSError, and ValueError for a file that has no plain list of them."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD.size)
        if len(head) < _HEAD.size:
            raise ValueError("is too short for a slot file")
        magic, _, count = _HEAD.unpack(head)
        if magic != _MAGIC or _HEAD.size + 4 * count > os.fstat(opened.fileno()).st_size:
            raise ValueError("is no slot file")
        ids = _unpacked(struct.unpack(f"<{count}i", opened.read(4 * count)))
    if any(number < 0 for number in ids):
        raise ValueError("has tokens that are no text")
    return ids


def _unpacked(words: tuple[int, ...]) -> tuple[int, ...]:
    if words[:1] != _PACKED[:1]:
        return words
    end = 3 + words[2] if len(words) > 3 else 0
    if words[:2] != _PACKED or end < 3 or words[end:] != _NO_MEDIA:
        raise ValueError("has a list of tokens that can't be read")
    return words[3:end]
