"""Room for the state files of running answers: so many files and so many bytes at once, over all backends."""

from __future__ import annotations

from app.domain.errors import BackendBusyError


class Shelf:
    """`max_bytes` is of all files together."""

    def __init__(self, max_files: int = 16, max_bytes: int = 2 * 1024**3) -> None:
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._places: dict[Place, int] = {}

    def limit(self, max_files: int, max_bytes: int) -> None:
        """Other limits from now on; what is there may stay."""
        self._max_files, self._max_bytes = max_files, max_bytes

    @property
    def size_bytes(self) -> int:
        """What is taken now."""
        return sum(self._places.values())

    def reserve(self, backend: str, size_bytes: int) -> Place:
        """Room for one file of about this size. Raises BackendBusyError when there is none."""
        place = Place(self, backend)
        place.resize(size_bytes)
        return place

    def put(self, place: Place, size_bytes: int) -> None:
        others = self.size_bytes - self._places.get(place, 0)
        files = len(self._places) + (place not in self._places)
        if files > self._max_files or others + size_bytes > self._max_bytes:
            raise BackendBusyError(place.backend, "has no room for the state of another answer")
        self._places[place] = size_bytes

    def remove(self, place: Place) -> None:
        self._places.pop(place, None)


class Place:
    """The room that one file has; whoever got it releases it."""

    __slots__ = ("_shelf", "backend")

    def __init__(self, shelf: Shelf, backend: str) -> None:
        self._shelf = shelf
        self.backend = backend

    def resize(self, size_bytes: int) -> None:
        """Raises BackendBusyError when there is not so much room."""
        self._shelf.put(self, size_bytes)

    def release(self) -> None:
        """May be called twice."""
        self._shelf.remove(self)
