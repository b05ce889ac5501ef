"""A recorded curve, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.thermal import Battery, Reading
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.replay import Curve, ReplaySensor, ReplaySettings

CURVE = "seconds,celsius\n0,40\n10,50\n20,60\n"


def sensor(tmp_path: Path, text: str, **keys: Any) -> ReplaySensor:
    file = tmp_path / "curve.csv"
    file.write_text(text, encoding="utf-8")
    return ReplaySensor(ReplaySettings(file=file, **keys), Surroundings("box"))


def played(tmp_path: Path, text: str, *instants: float, **keys: Any) -> list[float | None]:
    """The temperatures at instants of a clock, of which the first is the start."""
    playing = sensor(tmp_path, text, **keys)
    return [playing.read(instant).celsius for instant in instants]


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(SensorLostError) as refused:
        sensor(tmp_path, text).read(0.0)
    return refused.value.message


def test_the_first_reading_starts_it_and_a_row_holds_until_the_next(tmp_path: Path) -> None:
    assert played(tmp_path, CURVE, 1000.0, 1009.9, 1010.0, 1019.0, 1025.0) == [40, 40, 50, 50, 60]


def test_it_begins_anew_after_the_last_row_lasted_as_long_as_the_one_before(tmp_path: Path) -> None:
    assert played(tmp_path, CURVE, 0.0, 29.9, 30.0, 41.0, 90.0) == [40, 60, 40, 50, 40]


def test_two_rows_are_enough_for_a_loop(tmp_path: Path) -> None:
    assert played(tmp_path, "seconds,celsius\n0,40\n10,50\n", 0.0, 19.9, 20.0, 30.0) == [40, 50, 40, 50]


def test_without_a_loop_the_last_row_holds(tmp_path: Path) -> None:
    assert played(tmp_path, CURVE, 0.0, 30.0, 9999.0, loop=False) == [40, 60, 60]


def test_at_double_speed_everything_comes_in_half_the_time(tmp_path: Path) -> None:
    assert played(tmp_path, CURVE, 0.0, 4.9, 5.0, 10.0, speed=2) == [40, 40, 50, 60]


def test_seconds_count_from_the_first_row(tmp_path: Path) -> None:
    assert played(tmp_path, "seconds,celsius\n500,40\n510,50\n", 0.0, 10.0) == [40, 50]


def test_a_single_row_holds_for_ever(tmp_path: Path) -> None:
    assert played(tmp_path, "seconds,celsius\n0,40\n", 0.0, 1e6) == [40, 40]


def test_every_field_of_a_reading_can_be_recorded_and_an_empty_cell_is_unknown(tmp_path: Path) -> None:
    text = (
        "seconds, celsius, throttling, memory_used_bytes, battery.percent, battery.plugged\n"
        "0, 40.5, true, 1024, 80, false\n"
        "1, , , , , \n"
    )
    playing = sensor(tmp_path, text)

    assert playing.read(7.0) == Reading(
        7.0, celsius=40.5, throttling=True, memory_used_bytes=1024, battery=Battery(80, plugged=False), modelled=True
    )
    assert playing.read(8.0) == Reading(8.0, modelled=True)


def test_a_file_of_a_spreadsheet_is_read_too(tmp_path: Path) -> None:
    assert played(tmp_path, '\ufeff"seconds","celsius"\r\n"0","40"\r\n\r\n', 0.0) == [40]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "curve.csv has no rows"),
        ("seconds,celsius\n", "curve.csv has no rows"),
        ("celsius\n40\n", "curve.csv, line 1: the header has no column `seconds`"),
        ("seconds,celsius,celsius\n0,1,2\n", "curve.csv, line 1: two columns have the same name"),
        ("seconds,heat\n0,40\n", "curve.csv, line 2: heat: a reading has no such field"),
        ("seconds,celsius\n0,40\n1,warm\n", "curve.csv, line 3: celsius: input should be a valid number"),
        ("seconds,celsius\n0,40\n\nsoon,41\n", "curve.csv, line 4: seconds: it is no number"),
        ("seconds,celsius\nnan,40\n", "curve.csv, line 2: seconds: it is no number"),
        ("seconds,celsius\n0,40\n0,41\n", "curve.csv, line 3: seconds must rise"),
        ("seconds,celsius\n0\n", "curve.csv, line 2: it has 1 cells, the header 2"),
        ("seconds,utilisation\n0,40\n", "curve.csv, line 2: utilisation: input should be less than or equal to 1"),
        ('seconds,celsius\n0,"40\n', "curve.csv, line 2: unexpected end of data"),
        ("seconds,battery,battery.percent\n0,yes,5\n", "curve.csv, line 2: battery: "),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, text).startswith(said)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    missing = ReplaySensor(ReplaySettings(file=tmp_path / "gone.csv"), Surroundings("box"))

    with pytest.raises(SensorLostError, match=r"gone\.csv can't be read: No such file or directory"):
        missing.read(0.0)


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "curve.csv").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(SensorLostError, match=r"curve\.csv is no text in UTF-8"):
        ReplaySensor(ReplaySettings(file=tmp_path / "curve.csv"), Surroundings("box")).read(0.0)


def test_a_file_that_was_mended_is_read_without_another_start(tmp_path: Path) -> None:
    playing = sensor(tmp_path, "seconds,celsius\n0,warm\n")
    with pytest.raises(SensorLostError):
        playing.read(5.0)

    (tmp_path / "curve.csv").write_text(CURVE)

    assert [playing.read(instant).celsius for instant in (100.0, 110.0)] == [40, 50]


@given(
    st.lists(st.floats(0.1, 1e4), min_size=1, max_size=20),
    st.floats(0, 1e6),
    st.booleans(),
)
def test_at_every_instant_it_is_the_last_row_that_came(steps: list[float], instant: float, loop: bool) -> None:
    seconds = [0.0]
    for step in steps:
        seconds.append(seconds[-1] + step)
    curve = Curve(tuple(seconds), tuple(Reading(each) for each in seconds))
    instant = instant % (seconds[-1] + steps[-1]) if loop else instant

    assert curve.at(instant, loop=loop).at == max(each for each in seconds if each <= instant)
