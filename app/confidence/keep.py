"""A calibration as a file that people can read, written all at once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

from app.domain.errors import IsothermError

_WIDTH = 100


class CalibrationNotKeptError(IsothermError):
    """The file can't be written."""


def keep(tree: Mapping[str, Any], file: Path) -> None:
    """Nobody ever reads half of it. Raises CalibrationNotKeptError."""
    part = file.with_name(f".{file.name}.part")
    try:
        try:
            with part.open("w", encoding="utf-8") as written:
                written.write(as_text(tree))
                written.flush()
                os.fsync(written.fileno())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise CalibrationNotKeptError(f"{file.name} can't be written: {error.strerror}") from None


def as_text(tree: Mapping[str, Any]) -> str:
    """JSON in which everything that fits into a line stands in one."""
    return _told(tree, "") + "\n"


def _told(value: Any, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    deeper = indent + "  "
    if len(indent) + len(flat) <= _WIDTH or not isinstance(value, dict | list):
        return flat
    if isinstance(value, dict):
        brackets = "{}"
        inner = [f"{deeper}{json.dumps(key, ensure_ascii=False)}: {_told(each, deeper)}" for key, each in value.items()]
    elif not any(isinstance(each, dict | list) for each in value):
        return fill(flat, _WIDTH, initial_indent=indent, subsequent_indent=deeper).lstrip()
    else:
        brackets = "[]"
        inner = [deeper + _told(each, deeper) for each in value]
    return f"{brackets[0]}\n" + ",\n".join(inner) + f"\n{indent}{brackets[1]}"
