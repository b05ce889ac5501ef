"""NVIDIA's driver library as a test wants it: a small C library that answers from a file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")
NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, GPU_IS_LOST, UNKNOWN = 3, 4, 9, 15, 999


def compiler() -> str | None:
    """A C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compiled(folder: Path, *, old: bool = False) -> Path:
    """The library, with the functions of a present driver or of an old one."""
    library = folder / ("old.so" if old else "new.so")
    options = ["-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", *(["-DOLD"] if old else [])]
    subprocess.run([compiler() or "cc", *options, "-o", library, _SOURCE, "-ldl"], check=True, timeout=60)
    return library


class FakeNvml:
    """One driver with `cards` cards; number n is at PCI bus id 000n:0a:00.0."""

    def __init__(self, built: Path, folder: Path, cards: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.library = folder / "libnvidia-ml.so.1"
        self._answers: dict[str, str] = {}
        shutil.copy(built, self.library)
        self.says("cards", cards)

    def says(self, function: str, *numbers: int) -> None:
        """From now on that is what the function tells."""
        self._write(function, "0 " + " ".join(map(str, numbers)))

    def fails(self, function: str, code: int) -> None:
        """From now on the function returns that error."""
        self._write(function, str(code))

    @property
    def calls(self) -> list[str]:
        """The functions that were called so far, in order."""
        calls = self.library.with_name("calls")
        return calls.read_text().split() if calls.exists() else []

    def _write(self, function: str, answer: str) -> None:
        self._answers[function] = answer
        lines = (f"{name} {answer}\n" for name, answer in self._answers.items())
        self.library.with_name("answers").write_text("".join(lines))
