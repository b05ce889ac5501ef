"""Room for so many files and so many bytes, over all backends."""

from __future__ import annotations

import pytest

from app.domain.errors import BackendBusyError
from backends.shelf import Shelf


def test_there_is_room_for_so_many_files() -> None:
    shelf = Shelf(max_files=2)
    places = [shelf.reserve("hot", 1), shelf.reserve("warm", 1)]

    with pytest.raises(BackendBusyError, match="'cold' has no room"):
        shelf.reserve("cold", 1)

    places[0].release()
    shelf.reserve("cold", 1)


def test_there_is_room_for_so_many_bytes() -> None:
    shelf = Shelf(max_bytes=100)
    place = shelf.reserve("hot", 60)

    with pytest.raises(BackendBusyError):
        shelf.reserve("hot", 41)
    shelf.reserve("hot", 40)

    assert shelf.size_bytes == 100
    place.release()
    assert shelf.size_bytes == 40


def test_a_file_that_is_larger_than_was_thought_needs_more_room() -> None:
    shelf = Shelf(max_bytes=100, max_files=1)
    place = shelf.reserve("hot", 10)

    place.resize(100)
    with pytest.raises(BackendBusyError):
        place.resize(101)

    assert shelf.size_bytes == 100


def test_to_release_twice_does_no_harm() -> None:
    shelf = Shelf(max_files=1)
    place = shelf.reserve("hot", 1)
    place.release()
    shelf.reserve("hot", 2)

    place.release()

    assert shelf.size_bytes == 2
