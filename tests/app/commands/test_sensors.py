"""`isotherm sensors`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import yaml

from app.__main__ import main
from app.commands.sensors import Look, look, table
from app.domain.thermal import Battery, Reading
from app.loader import load
from app.thermal.sensor import KINDS, SensorSettings, Surroundings
from app.thermal.sensors.hwmon import HwmonSettings
from app.thermal.sensors.rapl import RaplSettings
from app.thermal.sensors.replay import ReplaySettings
from tests.app.thermal.machines import bare, laptop, rapl
from tests.fakes.clock import FakeClock
from tests.fakes.sysfs import plant

HANGING = f"{__name__}:HangingSensor"
BROKEN = f"{__name__}:BrokenSensor"


class HangingSensor:
    """Says nothing until it is freed."""

    Settings = SensorSettings
    freed = Event()

    def __init__(self, settings: SensorSettings, surroundings: Surroundings) -> None: ...

    def read(self, now: float) -> Reading:
        self.freed.wait(20)
        return Reading(now, celsius=1.0)

    def close(self) -> None: ...


class BrokenSensor(HangingSensor):
    """Has a bug."""

    def read(self, now: float) -> Reading:
        raise ZeroDivisionError


@pytest.fixture
def hanging() -> Iterator[SensorSettings]:
    HangingSensor.freed.clear()
    yield SensorSettings(kind=HANGING)
    HangingSensor.freed.set()


def run(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def cells(text: str, kind: str) -> list[str]:
    """The cells of the first row of that kind."""
    row = next(line for line in text.splitlines() if line.startswith(f"{kind} "))
    return [cell.strip() for cell in row.split("  ") if cell.strip()]


def test_each_is_listed_with_what_it_says_and_how_to_write_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = laptop(tmp_path)

    assert run("sensors", "--root", str(root)) == 0
    out = capsys.readouterr().out

    assert out.splitlines()[0].split()[:4] == ["kind", "°C", "W", "fan"]
    coretemp = next(line for line in out.splitlines() if "coretemp" in line)
    assert coretemp.split()[:7] == ["hwmon", "61.0", "-", "-", "-", "100", "-"]
    assert cells(out, "battery")[7] == "75 % discharging, 8.5 W"
    assert cells(out, "battery")[8] == f"{{kind: battery, root: {root}}}"
    assert "{kind: auto}" in out


def test_programs_get_every_field_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = laptop(tmp_path)

    assert run("sensors", "--root", str(root), "--json") == 0
    looks = json.loads(capsys.readouterr().out)

    chip = next(each for each in looks if each["sensor"].get("chip") == "coretemp")
    assert chip["sensor"] == {"kind": "hwmon", "chip": "coretemp", "device": "coretemp.0", "root": str(root)}
    assert (chip["reading"]["celsius"], chip["reading"]["watts"], chip["problem"]) == (61.0, None, None)


def test_a_machine_that_measures_nothing_is_told_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sensors", "--root", str(bare(tmp_path / "sys"))) == 0
    out = capsys.readouterr().out

    assert "Nothing here says how hot this machine is." in out
    advice = yaml.safe_load(out[out.index("  zones:") :])
    for zone in advice["zones"]:
        load(zone["sensor"]["kind"], KINDS).Settings.model_validate(zone["sensor"])


def test_power_is_what_was_counted_between_two_readings(tmp_path: Path) -> None:
    root, clock = plant(tmp_path, rapl("0", "package-0", 1_000_000)), FakeClock()

    def pause(seconds: float) -> None:
        plant(root, rapl("0", "package-0", 1_000_000 + int(15_000_000 * seconds)))
        clock.advance(seconds)

    [one] = look([RaplSettings(root=root)], pause=pause, clock=clock)

    assert one.reading is not None
    assert one.reading.watts == pytest.approx(15.0)


def test_one_that_is_lost_says_why_and_the_others_are_read(tmp_path: Path, hanging: SensorSettings) -> None:
    curve = tmp_path / "curve.csv"
    curve.write_text("seconds,celsius\n0,40\n")
    lost = HwmonSettings(chip="nope", root=tmp_path)
    looks = look(
        [lost, hanging, SensorSettings(kind=BROKEN), ReplaySettings(file=curve)],
        pause=lambda _: None,
        patience_seconds=1,
    )

    assert [each.problem is None for each in looks] == [False, False, False, True]
    assert looks[0].problem == "hwmon has no such chip: nope"
    assert looks[1].problem == "it hangs: it said nothing in 1 s"
    assert str(looks[2].problem).startswith("it has a bug (ZeroDivisionError at test_sensors.py:")
    assert looks[3].reading is not None
    assert looks[3].reading.celsius == 40


def test_one_that_is_lost_at_the_second_reading_is_lost(tmp_path: Path) -> None:
    root = plant(tmp_path, rapl("0", "package-0", 1))
    [one] = look([RaplSettings(root=root)], pause=lambda _: None)
    assert one.problem is None

    def pause(_: float) -> None:
        plant(root, {"class/powercap/intel-rapl:0/energy_uj": "?"})

    [one] = look([RaplSettings(root=root)], pause=pause)
    assert (one.reading, one.problem) == (None, "RAPL's package-0 says nothing of its energy")


def test_every_one_is_closed(tmp_path: Path) -> None:
    root = plant(tmp_path, rapl("0", "package-0", 1))
    before = set(Path("/proc/self/fd").iterdir())
    look([RaplSettings(root=root)], pause=lambda _: None)

    assert set(Path("/proc/self/fd").iterdir()) == before


CHIP = HwmonSettings(chip="amdgpu", device="0000:03:00.0", busy_seconds=1)


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Reading(1.0), "hwmon - - - - - - -"),
        (Reading(1.0, asleep=True), "hwmon asleep - - - - - -"),
        (Reading(1.0, celsius=0.0, watts=0.0, utilisation=0.0), "hwmon 0.0 0.0 - 0 % - - -"),
        (
            Reading(1.0, celsius=66.04, watts=180.04, fan_percent=50, fan_rpm=1500, utilisation=0.754),
            "hwmon 66.0 180.0 50 % 1500 rpm 75 % - - -",
        ),
        (Reading(1.0, fan_rpm=900, limit_slowdown_celsius=90), "hwmon - - 900 rpm - 90 - -"),
        (Reading(1.0, fan_percent=0, limit_shutdown_celsius=99), "hwmon - - 0 % - - 99 -"),
        (Reading(1.0, battery=Battery(75.4, plugged=True, watts=0)), "hwmon - - - - - - 75 % plugged in"),
        (Reading(1.0, battery=Battery(75.4, plugged=False)), "hwmon - - - - - - 75 % discharging"),
    ],
)
def test_a_row_says_what_is_known_and_a_dash_what_is_not(reading: Reading, said: str) -> None:
    line = table([Look(CHIP, reading)]).splitlines()[1]
    words, brace, _ = line.partition("{")

    assert brace
    assert " ".join(words.split()) == said


def test_what_a_row_ends_with_can_be_pasted() -> None:
    line = table([Look(CHIP, Reading(1.0))]).splitlines()[1]
    pasted = yaml.safe_load(line[line.index("{") :])

    assert pasted == {"kind": "hwmon", "busy_seconds": 1.0, "chip": "amdgpu", "device": "0000:03:00.0"}
    assert HwmonSettings.model_validate(pasted) == CHIP


def test_what_is_wrong_stands_under_its_own_row() -> None:
    looks = [Look(CHIP, problem="one"), Look(CHIP, Reading(1.0, celsius=5)), Look(CHIP, problem="two")]
    lines = table(looks).splitlines()

    assert [line.strip() for line in lines if "can't be read" in line] == ["can't be read: one", "can't be read: two"]
    assert [lines.index("    can't be read: one"), lines.index("    can't be read: two")] == [2, 5]


def test_the_columns_stand_under_their_names() -> None:
    looks = [Look(CHIP, Reading(1.0, celsius=5)), Look(RaplSettings(), Reading(1.0, fan_percent=50, fan_rpm=1500))]
    header, *rows = table(looks).splitlines()[:3]

    assert [row.index("{") for row in rows] == [header.index("sensor:")] * 2
