"""Calibrations as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.calibrate import as_calibration, calibrate
from app.confidence.calibration import read_calibration
from app.confidence.keep import CalibrationNotKeptError, as_text, keep
from tests.app.confidence.labels import labelled

SHIPPED = Path(__file__).parents[3] / "config" / "calibration.json"
NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12)
NAMES = st.text(max_size=12)
TREES = st.recursive(
    NUMBERS | NAMES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=8
)


def test_what_is_kept_is_what_is_read(tmp_path: Path) -> None:
    tree = calibrate(labelled(600), {"loop": 0.1}, features={"both": ("a", "b")}, running=("a",))
    keep(tree, tmp_path / "calibration.json")

    assert read_calibration((tmp_path / "calibration.json").read_bytes()) == as_calibration(tree)
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.json"]


def test_a_file_is_small_and_its_lines_are_short() -> None:
    text = as_text(calibrate(labelled(600), {"loop": 0.1}, features={"both": ("a", "b")}, running=("a",)))

    assert text.endswith("}\n")
    assert len(text) < 4000
    assert max(map(len, text.splitlines())) <= 120
    assert '"a": {"weight": ' in text


@given(st.dictionaries(NAMES, TREES, max_size=5))
def test_however_it_is_written_it_is_the_same_json(tree: dict[str, object]) -> None:
    assert json.loads(as_text(tree)) == tree


def test_an_old_one_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_text("old")
    keep({"version": 1}, file)

    assert file.read_text() == '{"version": 1}\n'


def test_what_can_not_be_written_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(CalibrationNotKeptError, match=r"c\.json can't be written: No such file or directory"):
        keep({}, tmp_path / "nowhere" / "c.json")

    (tmp_path / "c.json").mkdir()
    with pytest.raises(CalibrationNotKeptError, match=r"c\.json can't be written"):
        keep({}, tmp_path / "c.json")
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


def test_the_shipped_calibration_is_one() -> None:
    calibration = read_calibration(SHIPPED.read_bytes())

    assert calibration.defects["empty"] < calibration.defects["refusal"] < 0.2
    assert as_text(json.loads(SHIPPED.read_text())) == SHIPPED.read_text()
