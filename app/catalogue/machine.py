"""What fetching asks of the machine it runs on, so that a test can answer instead."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.catalogue.errors import NoSpaceError
from app.catalogue.pip_settings import list_pip_config
from app.catalogue.progress import in_megabytes


def free_bytes_of(directory: Path) -> int:
    return shutil.disk_usage(directory).free


@dataclass(frozen=True, slots=True)
class Machine:
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    free_bytes: Callable[[Path], int] = free_bytes_of
    list_pip_config: Callable[[Mapping[str, str]], str | None] = list_pip_config
    pause_seconds: Callable[[float], None] = time.sleep

    def require_space(self, directory: Path, needed_bytes: int) -> None:
        """Refuse before the first byte what the disk could not hold at the last."""
        free_bytes = self.free_bytes(directory)
        if free_bytes < needed_bytes:
            raise NoSpaceError(
                f"{in_megabytes(needed_bytes)} MB are needed in {directory} and"
                f" {in_megabytes(free_bytes)} MB are free:"
                " make room, or set ISOTHERM_CACHE to a directory on a larger disk"
            )
