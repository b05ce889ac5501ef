"""A place that a model's files can come from, and the kinds of place there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.catalogue.file import ModelFile
from app.catalogue.machine import Machine
from app.catalogue.progress import Progress

KINDS: Mapping[str, str] = {
    "path": "app.catalogue.sources.path:PathSource",
    "huggingface": "app.catalogue.sources.huggingface:HuggingFaceSource",
    "python_package": "app.catalogue.sources.python_package:PythonPackageSource",
}


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a source works: a directory for its partial files, and whom it tells about them."""

    directory: Path
    machine: Machine
    progress: Progress

    def part(self, name: str) -> Path:
        path = self.directory / f"{name}.part"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class Source(Protocol):
    """A frozen dataclass whose fields are the options that the catalogue may give it."""

    def describe(self) -> str:
        """Name this place in an error message, without any secret."""
        ...

    def gives(self, name: str) -> bool:
        """Whether the options say where the file of that name is; nothing is asked or read."""
        ...

    def deliver(self, file: ModelFile, bench: Bench) -> Path:
        """Bring the file to the bench, still unverified, and say where it lies."""
        ...
