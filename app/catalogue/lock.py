"""Only one process at a time fetches a model; the others wait for it and then find it there."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file, after telling `waiting` if somebody else holds it now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The file stays: whoever deleted it would let two processes lock two different files.
    with path.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
