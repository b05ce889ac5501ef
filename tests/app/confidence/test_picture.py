"""Reliability and cost, drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.confidence.figures import Bin, Cost, cost_curve, reliability
from app.confidence.picture import NoPictureError, draw

BINS = [Bin(10, 0.2, 0.1), Bin(5, 0.8, 0.9)]
CURVES = {"by confidence": [Cost(0, 0.5), Cost(1, 1)], "by chance": [Cost(0, 0.5), Cost(1, 0.9)]}


def size(file: Path) -> tuple[int, int]:
    """Width and height in pixels, as its header has it (PNG specification, 11.2.1)."""
    content = file.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def test_a_picture_is_a_png_that_can_be_read(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(tmp_path / "a.png", "Confidence", BINS, CURVES, 0.95)

    width, height = size(tmp_path / "a.png")
    assert width > 1000
    assert height > 500


def test_other_figures_make_another_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    correct, said = [1.0, 0.0, 1.0], [0.9, 0.2, 0.4]
    draw(tmp_path / "a.png", "Confidence", BINS, CURVES, 0.95)
    draw(tmp_path / "b.png", "Confidence", reliability(correct, said), {"x": cost_curve(correct, said)}, 0.95)

    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_a_file_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(NoPictureError, match=r"a\.png can't be written: No such file or directory"):
        draw(tmp_path / "nowhere" / "a.png", "Confidence", BINS, CURVES, 0.95)


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from pathlib import Path\n"
        "from app.confidence.picture import NoPictureError, draw\n"
        "try: draw(Path(sys.argv[1]), 'x', [], {}, 0.95)\n"
        "except NoPictureError as error: print(error)\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "a.png")]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=True)

    assert ended.stdout == "matplotlib is not installed: pip install 'isotherm[calibrate]'\n"
    assert not (tmp_path / "a.png").exists()
