"""A file that has partly arrived, and what is needed to go on with it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Origin:
    """What the server said of the file when its first byte came."""

    validator: str | None = None
    total_bytes: int | None = None
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Partial:
    path: Path

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def origin(self) -> Origin | None:
        """None when nothing is known, and then there is nothing to go on with."""
        try:
            return Origin(**json.loads(self._notes.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def complete(self) -> bool:
        origin = self.origin
        return origin is not None and origin.complete and self.path.exists()

    def remember(self, origin: Origin) -> None:
        self._notes.write_text(json.dumps(asdict(origin)), encoding="utf-8")

    def discard(self) -> None:
        """Unlink, never truncate: the name may be a second one for somebody's own file."""
        self._notes.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    @property
    def _notes(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")
