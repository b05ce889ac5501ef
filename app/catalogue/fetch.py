"""Bringing a model into the cache: once, whole, verified, from the first source that can give it."""

import errno
import shutil
from contextlib import suppress
from pathlib import Path

from app.catalogue.cache import Cache
from app.catalogue.errors import ModelFetchError, NoSpaceError, SourceError, WrongFileError
from app.catalogue.file import ModelFile, sha256_of
from app.catalogue.lock import locked
from app.catalogue.machine import Machine
from app.catalogue.model import Model
from app.catalogue.progress import Progress
from app.catalogue.source import Bench, Source

WAITING = "another process is fetching it; waiting for that to end"
FULL = "the disk is full: make room, or set ISOTHERM_CACHE to a directory on a larger disk"


def fetch(model: Model, cache: Cache, progress: Progress, machine: Machine | None = None) -> Path:
    """The directory with all files of the model; nothing is asked or hashed if they are there already."""
    if cache.present(model):
        return cache.directory(model)
    try:
        with locked(cache.lock(model), lambda: progress.note(f"{model.name}: {WAITING}")):
            _adopt(model, cache, progress)
            if not cache.present(model):
                _fetch(model, cache, Bench(cache.downloads(model), machine or Machine(), progress))
    except OSError as error:
        raise ModelFetchError(
            f"{model.name}: the cache {cache.root} cannot be used ({error});"
            " set ISOTHERM_CACHE to a directory that can be written"
        ) from error
    return cache.directory(model)


def _adopt(model: Model, cache: Cache, progress: Progress) -> None:
    """Take what somebody put there by hand, if it is right."""
    for file in cache.missing(model):
        path = cache.file(model, file.name)
        if path.is_file() and path.stat().st_size == file.bytes:
            if sha256_of(path) == file.sha256:
                cache.trust(model, file)
            else:
                progress.note(f"{path} has the wrong SHA-256 and will be replaced")


def _fetch(model: Model, cache: Cache, bench: Bench) -> None:
    failures: list[str] = []
    for source in model.sources:
        try:
            arrived = _take(source, cache.missing(model), bench)
        except NoSpaceError as error:
            _tidy(bench)
            raise NoSpaceError(f"{model.name}: {error.message}") from error
        except SourceError as error:
            failures.append(f"{source.describe()}: {error.message}")
            bench.progress.note(f"{model.name}: {failures[-1]}")
            if isinstance(error, WrongFileError):
                shutil.rmtree(bench.directory)
            continue
        for file, part in arrived:
            cache.land(model, file, part)
        shutil.rmtree(bench.directory)
        return
    _tidy(bench)
    raise ModelFetchError(_report(model, cache, failures))


def _take(source: Source, files: tuple[ModelFile, ...], bench: Bench) -> list[tuple[ModelFile, Path]]:
    """All files, each with the SHA-256 that the catalogue promises, or none."""
    try:
        bench.directory.mkdir(parents=True, exist_ok=True)
        return [(file, _checked(file, source.deliver(file, bench))) for file in files]
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpaceError(FULL) from error
        raise SourceError(str(error)) from error


def _checked(file: ModelFile, part: Path) -> Path:
    found = sha256_of(part)
    if found != file.sha256:
        raise WrongFileError(f"{file.name} has the SHA-256 {found} and not {file.sha256}")
    return part


def _tidy(bench: Bench) -> None:
    """Keep what can be gone on with, but no empty directory."""
    with suppress(OSError):
        bench.directory.rmdir()


def _report(model: Model, cache: Cache, failures: list[str]) -> str:
    by_hand = ", ".join(f"{file.name} (SHA-256 {file.sha256})" for file in cache.missing(model))
    return "\n".join(
        [
            f"{model.name} could not be fetched:",
            *(f"  - {failure}" for failure in failures),
            "What you can do:",
            f"  - run `isotherm models pull {model.name}` again: what has arrived rightly is kept",
            f"  - or put {by_hand} into {cache.directory(model)} by hand",
            "  - or set ISOTHERM_CACHE to a cache that has the model",
        ]
    )
