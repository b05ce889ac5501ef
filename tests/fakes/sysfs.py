"""Linux' sysfs as a test wants it: real files in a folder, and files of the real kernel's where a device is to die."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def plant(root: Path, files: Mapping[str, object]) -> Path:
    """Write these files under the root; a path as a value makes a link to it. Gives the root.

    What has a file open already reads the new content from it.
    """
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or isinstance(content, Path):
            path.unlink(missing_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_text(f"{content}\n")
    return root


def uproot(root: Path, name: str) -> None:
    """Take a file or a folder away."""
    path = root / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


class Mortal:
    """A file with a number that the kernel takes away for good, as it does when a device goes.

    It is a file of a process' in /proc: whoever holds it open gets an error once the process has ended.
    """

    def __init__(self, process: subprocess.Popen[bytes], number: int) -> None:
        self._process = process
        self.path = Path(f"/proc/{process.pid}/oom_score_adj")
        self.path.write_text(str(number))

    def die(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def mortal(number: int = 1000) -> Iterator[Mortal]:
    """`number` is 1 to 1000."""
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # it waits for its input
    try:
        yield Mortal(process, number)
    finally:
        process.kill()
        process.communicate()


#: A file that no one may read, not even root: the kernel lets it only be written.
UNREADABLE = Path("/proc/sys/vm/compact_memory")
