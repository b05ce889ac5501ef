"""Small models, archives and machines for the tests of the catalogue."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.catalogue.file import ModelFile
from app.catalogue.machine import Machine
from app.catalogue.model import Model
from app.catalogue.source import Source
from app.catalogue.sources.huggingface import HuggingFaceSource
from app.catalogue.sources.python_package import Distribution, Piece, PythonPackageSource

WEIGHTS = bytes(range(256)) * 1024
WHEEL = "tiny_model-1.0-py3-none-any.whl"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_of(content: bytes, name: str = "weights.bin") -> ModelFile:
    return ModelFile(name, sha256(content), len(content))


def model_of(*sources: Source, files: Mapping[str, bytes] | None = None) -> Model:
    contents = {"weights.bin": WEIGHTS} if files is None else files
    described = tuple(file_of(content, name) for name, content in contents.items())
    return Model("tiny", "chat", "MIT", described, sources)


def hub(revision: str = "v1") -> HuggingFaceSource:
    return HuggingFaceSource("someone/tiny", revision)


HUB_PATH = "/someone/tiny/resolve/v1/weights.bin"


def package(member: str = "tiny/weights.bin", wheel: str = WHEEL) -> PythonPackageSource:
    distribution = Distribution("Tiny_Model", "1.0", wheel)
    return PythonPackageSource((distribution,), {"weights.bin": (Piece(member),)})


def wheel_of(members: Mapping[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    return memory.getvalue()


def sdist_of(members: Mapping[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as sdist:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            sdist.addfile(info, io.BytesIO(content))
    return memory.getvalue()


def machine(
    environ: Mapping[str, str],
    free_bytes: Callable[[Path], int] = lambda _: 1 << 40,
    pip_listing: str | None = None,
) -> Machine:
    """A machine that never sleeps and whose pip is set up by the test alone."""
    return Machine(
        environ=environ,
        free_bytes=free_bytes,
        list_pip_config=lambda _: pip_listing,
        pause_seconds=lambda _: None,
    )


@dataclass
class RecordingProgress:
    """Keeps what a person would have seen; `watch` is called at every step."""

    lines: list[str] = field(default_factory=list)
    starts: list[tuple[str, int | None, int]] = field(default_factory=list)
    watch: Callable[[], None] = lambda: None

    def start(self, what: str, total_bytes: int | None, done_bytes: int) -> None:
        self.starts.append((what, total_bytes, done_bytes))

    def advance(self, more_bytes: int) -> None:
        self.watch()

    def finish(self) -> None: ...

    def note(self, text: str) -> None:
        self.lines.append(text)


def files_under(root: Path) -> list[str]:
    """Every file that a person would find there, but for the locks, which stay."""
    found = (str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith("locks/"))
