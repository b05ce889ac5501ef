"""Which files were proved right when they landed, so that no later start has to read them again.

A file counts as proved while its size and its time of change are those of the landing and the
catalogue still asks for the same SHA-256. Anything else is hashed anew by the next fetch.
"""

import json
from pathlib import Path
from typing import Any

from app.catalogue.file import ModelFile

MARKER = ".verified.json"


def is_verified(directory: Path, file: ModelFile) -> bool:
    fact = _facts(directory).get(file.name)
    return fact is not None and fact == _fact(directory, file)


def remember_verified(directory: Path, file: ModelFile) -> None:
    facts = _facts(directory) | {file.name: _fact(directory, file)}
    fresh = directory / f"{MARKER}.part"
    fresh.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    fresh.replace(directory / MARKER)


def _facts(directory: Path) -> dict[str, Any]:
    try:
        facts = json.loads((directory / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _fact(directory: Path, file: ModelFile) -> dict[str, Any] | None:
    try:
        found = (directory / file.name).stat()
    except OSError:
        return None
    if found.st_size != file.bytes:
        return None
    # Whole seconds: a container image keeps no finer ones.
    return {"sha256": file.sha256, "bytes": found.st_size, "changed_at_seconds": int(found.st_mtime)}
