"""A model on this machine is taken without a second copy where that can be."""

from pathlib import Path

import pytest

from app.catalogue.cache import Cache
from app.catalogue.errors import ModelFetchError, SourceError, WrongFileError
from app.catalogue.fetch import fetch
from app.catalogue.progress import SilentProgress
from app.catalogue.source import Bench
from app.catalogue.sources.path import PathSource
from tests.app.catalogue.builders import WEIGHTS, RecordingProgress, file_of, files_under, machine, model_of


def deliver(source: PathSource, directory: Path, **environ: str) -> Path:
    return source.deliver(file_of(WEIGHTS), Bench(directory / "bench", machine(environ), RecordingProgress()))


def test_a_directory_gives_the_file_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    assert deliver(PathSource("$MODELS"), tmp_path, MODELS=str(tmp_path)).read_bytes() == WEIGHTS


def test_a_directory_may_know_the_file_by_another_name(tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(WEIGHTS)
    source = PathSource(str(tmp_path), {"weights.bin": "other.gguf"})
    assert deliver(source, tmp_path).read_bytes() == WEIGHTS


def test_a_path_may_be_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "any.gguf").write_bytes(WEIGHTS)
    assert deliver(PathSource(str(tmp_path / "any.gguf")), tmp_path).read_bytes() == WEIGHTS


def test_the_same_disk_needs_no_second_copy(tmp_path: Path) -> None:
    original = tmp_path / "weights.bin"
    original.write_bytes(WEIGHTS)
    assert deliver(PathSource(str(tmp_path)), tmp_path).samefile(original)


def test_a_link_is_followed_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(WEIGHTS)
    (tmp_path / "weights.bin").symlink_to("blob")
    part = deliver(PathSource(str(tmp_path)), tmp_path)
    assert not part.is_symlink()


def test_what_cannot_be_linked_is_copied(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")  # noqa: S108
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk")
    (tmp_path / "weights.bin").write_bytes(WEIGHTS)
    progress = RecordingProgress()
    bench = elsewhere / f"isotherm-test-{tmp_path.name}"
    try:
        part = PathSource(str(tmp_path)).deliver(file_of(WEIGHTS), Bench(bench, machine({}), progress))
        assert part.read_bytes() == WEIGHTS
        part.unlink()
    finally:
        bench.rmdir()
    assert progress.starts == [("copying weights.bin", len(WEIGHTS), 0)]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"there is no file {tmp_path}/weights.bin"):
        deliver(PathSource(str(tmp_path)), tmp_path)


def test_a_file_of_the_wrong_size_is_not_even_read(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"short")
    with pytest.raises(WrongFileError, match="is 5 bytes; 262144 are declared"):
        deliver(PathSource(str(tmp_path)), tmp_path)


def test_a_wrong_original_stays_as_it_was(tmp_path: Path, cache: Cache) -> None:
    original = tmp_path / "weights.bin"
    original.write_bytes(WEIGHTS[::-1])
    with pytest.raises(ModelFetchError, match="has the SHA-256"):
        fetch(model_of(PathSource(str(tmp_path))), cache, SilentProgress(), machine({}))
    assert original.read_bytes() == WEIGHTS[::-1]
    assert files_under(cache.root) == []
