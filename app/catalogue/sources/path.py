"""A model that already lies on a disk of this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import BinaryIO

from pydantic import ConfigDict

from app.catalogue.errors import SourceError, WrongFileError
from app.catalogue.file import ModelFile
from app.catalogue.source import Bench

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PathSource:
    """A directory, or the file itself; `~` and `$VARIABLE` may be part of it."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    path: str
    files: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        return f"the path {self.path}"

    def gives(self, name: str) -> bool:
        return not self.files or name in self.files

    def deliver(self, file: ModelFile, bench: Bench) -> Path:
        original = self._find(file.name, bench.machine.environ)
        size_bytes = original.stat().st_size
        if size_bytes != file.bytes:
            raise WrongFileError(f"{original} is {size_bytes} bytes; {file.bytes} are declared")
        part = bench.part(f"{file.name}.linked")
        part.unlink(missing_ok=True)
        try:
            os.link(original, part)  # a model of 20 GB needs no second 20 GB on the same disk
        except OSError:
            bench.machine.require_space(part.parent, file.bytes)
            _copy(original, part, file, bench)
        return part

    def _find(self, name: str, environ: Mapping[str, str]) -> Path:
        place = Path(Template(self.path).safe_substitute(environ)).expanduser()
        original = place / self.files.get(name, name) if place.is_dir() else place
        if not original.is_file():
            raise SourceError(f"there is no file {original}")
        return original.resolve()


def _copy(original: Path, part: Path, file: ModelFile, bench: Bench) -> None:
    bench.progress.start(f"copying {file.name}", file.bytes, 0)
    try:
        with original.open("rb") as content, part.open("xb") as sink:
            _pour(content, sink, bench)
    finally:
        bench.progress.finish()


def _pour(content: BinaryIO, sink: BinaryIO, bench: Bench) -> None:
    while chunk := content.read(CHUNK_BYTES):
        sink.write(chunk)
        bench.progress.advance(len(chunk))
