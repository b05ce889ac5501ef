"""A model lands in the cache whole and right, or not at all."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.catalogue.cache import Cache
from app.catalogue.errors import ModelFetchError, NoSpaceError
from app.catalogue.fetch import fetch
from app.catalogue.file import ModelFile
from app.catalogue.machine import Machine
from app.catalogue.progress import SilentProgress
from app.catalogue.source import Bench
from app.catalogue.sources.path import PathSource
from tests.app.catalogue.builders import (
    HUB_PATH,
    WEIGHTS,
    RecordingProgress,
    files_under,
    hub,
    machine,
    model_of,
)
from tests.app.catalogue.file_server import FileServer, Served

LANDED = ["models/tiny/.verified.json", "models/tiny/weights.bin"]


@dataclass(frozen=True)
class ScriptedSource:
    """Gives whatever the test writes."""

    write: Callable[[Path], object]

    def describe(self) -> str:
        return "the script"

    def gives(self, name: str) -> bool:
        return True

    def deliver(self, file: ModelFile, bench: Bench) -> Path:
        part = bench.part(file.name)
        self.write(part)
        return part


def at(server: FileServer) -> Machine:
    return machine({"HF_ENDPOINT": server.url})


def test_a_fetched_model_lies_in_the_directory_that_is_returned(cache: Cache, server: FileServer) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS)
    model = model_of(hub())
    directory = fetch(model, cache, SilentProgress(), at(server))
    assert directory == cache.directory(model)
    assert cache.file(model, "weights.bin").read_bytes() == WEIGHTS
    assert files_under(cache.root) == LANDED


def test_a_second_fetch_asks_nobody_and_hashes_nothing(cache: Cache, server: FileServer) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS)
    model = model_of(hub())
    fetch(model, cache, SilentProgress(), at(server))
    final = cache.file(model, "weights.bin")
    landed = final.stat()
    final.write_bytes(WEIGHTS[::-1])
    os.utime(final, ns=(landed.st_atime_ns, landed.st_mtime_ns))
    fetch(model, cache, SilentProgress(), at(server))
    assert len(server.requests) == 1


def test_a_file_that_changed_since_it_landed_is_fetched_again(cache: Cache, server: FileServer) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS)
    model = model_of(hub())
    fetch(model, cache, SilentProgress(), at(server))
    final = cache.file(model, "weights.bin")
    final.write_bytes(WEIGHTS[::-1])
    os.utime(final, (1, 1))
    assert not cache.present(model)
    fetch(model, cache, SilentProgress(), at(server))
    assert final.read_bytes() == WEIGHTS


def test_a_file_put_there_by_hand_is_checked_and_taken(cache: Cache, progress: RecordingProgress) -> None:
    model = model_of(PathSource("/nowhere"))
    final = cache.file(model, "weights.bin")
    final.parent.mkdir(parents=True)
    final.write_bytes(WEIGHTS)
    assert not cache.present(model)
    fetch(model, cache, progress, machine({}))
    assert cache.present(model)
    assert progress.starts == []


def test_a_wrong_file_put_there_by_hand_is_replaced(
    cache: Cache, server: FileServer, progress: RecordingProgress
) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS)
    model = model_of(hub())
    final = cache.file(model, "weights.bin")
    final.parent.mkdir(parents=True)
    final.write_bytes(WEIGHTS[::-1])
    fetch(model, cache, progress, at(server))
    assert final.read_bytes() == WEIGHTS
    assert "wrong SHA-256" in progress.lines[0]


def test_no_part_is_ever_seen_under_the_final_name(cache: Cache, server: FileServer) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS)
    model = model_of(hub())
    seen: list[bool] = []
    watching = RecordingProgress(watch=lambda: seen.append(cache.directory(model).exists()))
    fetch(model, cache, watching, at(server))
    assert seen
    assert not any(seen)


def test_of_two_files_none_lands_when_one_is_wrong(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(b"right")
    (tmp_path / "two.bin").write_bytes(b"wrong")
    model = model_of(PathSource(str(tmp_path)), files={"one.bin": b"right", "two.bin": b"RIGHT"})
    with pytest.raises(ModelFetchError, match="SHA-256"):
        fetch(model, cache, SilentProgress(), machine({}))
    assert files_under(cache.root) == []


def test_a_wrong_sha256_keeps_nothing_and_says_what_to_do(cache: Cache, server: FileServer) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS[::-1])
    model = model_of(hub())
    with pytest.raises(ModelFetchError) as caught:
        fetch(model, cache, SilentProgress(), at(server))
    assert files_under(cache.root) == []
    message = str(caught.value)
    assert "the Hugging Face repository someone/tiny at v1: weights.bin has the SHA-256" in message
    assert "isotherm models pull tiny" in message
    assert str(cache.directory(model)) in message
    assert "ISOTHERM_CACHE" in message


def test_the_next_source_is_asked_when_one_fails(cache: Cache, server: FileServer, progress: RecordingProgress) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS)
    model = model_of(PathSource("/nowhere/$THING"), hub())
    fetch(model, cache, progress, machine({"HF_ENDPOINT": server.url, "THING": "at-all"}))
    assert cache.present(model)
    assert progress.lines == ["tiny: the path /nowhere/$THING: there is no file /nowhere/at-all"]


def test_every_source_is_named_when_all_fail(cache: Cache, server: FileServer) -> None:
    model = model_of(PathSource("/nowhere"), hub())
    with pytest.raises(ModelFetchError) as caught:
        fetch(model, cache, SilentProgress(), at(server))
    assert "the path /nowhere: there is no file /nowhere" in str(caught.value)
    assert "the server answered 404: it has no such file" in str(caught.value)
    assert not cache.downloads(model).exists()


def test_an_interrupt_leaves_only_what_can_be_gone_on_with(cache: Cache, server: FileServer) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS)
    model = model_of(hub())

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(model, cache, RecordingProgress(watch=interrupt), at(server))
    assert files_under(cache.root) == ["downloads/tiny/weights.bin.part", "downloads/tiny/weights.bin.part.json"]
    fetch(model, cache, SilentProgress(), at(server))
    assert server.requests[1].headers["Range"].startswith("bytes=")
    assert files_under(cache.root) == LANDED


def test_too_little_space_is_said_before_the_first_byte(
    cache: Cache, server: FileServer, progress: RecordingProgress
) -> None:
    server.files[HUB_PATH] = Served(WEIGHTS)
    small = machine({"HF_ENDPOINT": server.url}, free_bytes=lambda _: 1000)
    with pytest.raises(NoSpaceError, match=r"tiny: 0\.3 MB are needed in") as caught:
        fetch(model_of(hub()), cache, progress, small)
    assert "0.0 MB are free: make room, or set ISOTHERM_CACHE" in str(caught.value)
    assert progress.starts == []
    assert files_under(cache.root) == []


def test_a_disk_that_fills_up_on_the_way_stops_the_whole_fetch(cache: Cache) -> None:
    def fill(part: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    never = ScriptedSource(lambda _: pytest.fail("another source cannot help"))
    with pytest.raises(NoSpaceError, match="tiny: the disk is full"):
        fetch(model_of(ScriptedSource(fill), never), cache, SilentProgress(), machine({}))


def test_any_other_fault_of_the_disk_is_one_source_that_failed(cache: Cache) -> None:
    def fail(part: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    good = ScriptedSource(lambda part: part.write_bytes(WEIGHTS))
    model = model_of(ScriptedSource(fail), good)
    fetch(model, cache, SilentProgress(), machine({}))
    assert cache.present(model)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelFetchError, match=r"the cache .*file cannot be used .* set ISOTHERM_CACHE"):
        fetch(model_of(hub()), Cache(tmp_path / "file"), SilentProgress(), machine({}))
