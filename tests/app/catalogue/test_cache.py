"""The cache is where its owner says, and knows at once what it holds."""

from pathlib import Path

import pytest

from app.catalogue.cache import Cache, default_root
from app.catalogue.verified import MARKER
from tests.app.catalogue.builders import WEIGHTS, file_of, model_of


def landed(cache: Cache, tmp_path: Path) -> None:
    part = tmp_path / "x.part"
    part.write_bytes(WEIGHTS)
    cache.land(model_of(), file_of(WEIGHTS), part)


def test_the_cache_is_below_home_unless_the_environment_says_otherwise() -> None:
    assert default_root({"HOME": "/home/me"}) == Path("/home/me/.cache/isotherm")
    assert default_root({"HOME": "/home/me", "ISOTHERM_CACHE": "/big"}) == Path("/big")
    assert default_root({}) == Path.home() / ".cache" / "isotherm"


def test_what_landed_is_present(cache: Cache, tmp_path: Path) -> None:
    assert not cache.present(model_of())
    landed(cache, tmp_path)
    assert cache.present(model_of())
    assert cache.file(model_of(), "weights.bin") == cache.directory(model_of()) / "weights.bin"


def test_what_landed_under_another_sha256_is_not_present(cache: Cache, tmp_path: Path) -> None:
    landed(cache, tmp_path)
    assert not cache.present(model_of(files={"weights.bin": WEIGHTS[::-1]}))


def test_what_lost_a_byte_is_not_present(cache: Cache, tmp_path: Path) -> None:
    landed(cache, tmp_path)
    cache.file(model_of(), "weights.bin").write_bytes(WEIGHTS[1:])
    assert not cache.present(model_of())


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"weights.bin": 3}'])
def test_a_damaged_marker_vouches_for_nothing(cache: Cache, tmp_path: Path, damage: str) -> None:
    landed(cache, tmp_path)
    (cache.directory(model_of()) / MARKER).write_text(damage)
    assert not cache.present(model_of())
