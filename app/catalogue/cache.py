"""Where models lie on the disk once they have landed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.catalogue.file import ModelFile
from app.catalogue.model import Model
from app.catalogue.verified import is_verified, remember_verified


def default_root(environ: Mapping[str, str]) -> Path:
    """`ISOTHERM_CACHE`, or `~/.cache/isotherm`."""
    if chosen := environ.get("ISOTHERM_CACHE"):
        return Path(chosen).expanduser().absolute()
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".cache" / "isotherm"


@dataclass(frozen=True, slots=True)
class Cache:
    root: Path

    def directory(self, model: Model) -> Path:
        return self.root / "models" / model.name

    def file(self, model: Model, name: str) -> Path:
        return self.directory(model) / name

    def downloads(self, model: Model) -> Path:
        """Where what has only partly arrived lies: the same disk, so that landing is one rename."""
        return self.root / "downloads" / model.name

    def lock(self, model: Model) -> Path:
        return self.root / "locks" / f"{model.name}.lock"

    def present(self, model: Model) -> bool:
        """Whether every file is there, proved right when it landed and unchanged since."""
        return not self.missing(model)

    def missing(self, model: Model) -> tuple[ModelFile, ...]:
        directory = self.directory(model)
        return tuple(file for file in model.files if not is_verified(directory, file))

    def land(self, model: Model, file: ModelFile, part: Path) -> None:
        """Give a file whose SHA-256 was just checked its final name, all at once."""
        final = self.file(model, file.name)
        final.parent.mkdir(parents=True, exist_ok=True)
        _sync(part)
        part.replace(final)
        _sync(final.parent)
        self.trust(model, file)

    def trust(self, model: Model, file: ModelFile) -> None:
        """Remember that the file at its final name was just checked."""
        remember_verified(self.directory(model), file)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
