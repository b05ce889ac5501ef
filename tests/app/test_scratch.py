"""The private directory, and what is left of dead gateways."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from app import scratch


def test_it_is_private_and_named_for_its_process() -> None:
    made = scratch.make()
    try:
        assert made.stat().st_mode & 0o777 == 0o700
        assert f"-{os.getpid()}-" in made.name
    finally:
        made.rmdir()


def test_what_a_dead_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in (f"isotherm-{gone.pid}-a", f"isotherm-{os.getpid()}-b", "isotherm-notes", "other-1-c"):
        (tmp_path / name / "deep").mkdir(parents=True)

    scratch.sweep(tmp_path)

    assert {left.name for left in tmp_path.iterdir()} == {f"isotherm-{os.getpid()}-b", "isotherm-notes", "other-1-c"}
