"""A private directory in memory for a gateway's life; what dead gateways left behind is swept up."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 (only private directories are made in it)
_PREFIX = "isotherm-"


def make() -> Path:
    """Readable by nobody else, named for this process. Whoever made it removes it."""
    root = _MEMORY if _MEMORY.is_dir() else Path(tempfile.gettempdir())
    sweep(root)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=root))


def sweep(root: Path) -> None:
    """Remove our own directories of processes that are gone: a gateway that was killed could not do it."""
    for left in root.glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):  # another sweeps too, or it is not ours
            if pid.isdigit() and left.stat().st_uid == os.getuid() and not _alive(int(pid)):
                shutil.rmtree(left)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
