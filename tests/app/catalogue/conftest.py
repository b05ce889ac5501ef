"""What every test of the catalogue may ask for: a server, an empty cache, somebody who watches."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.catalogue.cache import Cache
from tests.app.catalogue.builders import RecordingProgress
from tests.app.catalogue.file_server import FileServer, running


@pytest.fixture
def server() -> Iterator[FileServer]:
    with running() as files:
        yield files


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def progress() -> RecordingProgress:
    return RecordingProgress()
