"""Reading sysfs by name."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.thermal.sensor import SensorLostError
from app.thermal.sysfs import ForbiddenError, Sysfs
from tests.fakes.sysfs import UNREADABLE, mortal, plant


@pytest.fixture
def sysfs(tmp_path: Path) -> Iterator[Sysfs]:
    sysfs = Sysfs(tmp_path)
    yield sysfs
    sysfs.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def answers(path: Path) -> int:
    """The error with which the kernel answers to reading it, 0 for none."""
    try:
        path.read_bytes()
    except OSError as error:
        return error.errno or 0
    return 0


def test_a_file_is_read_again_from_its_start(sysfs: Sysfs, tmp_path: Path) -> None:
    file = tmp_path / "temp"
    file.write_text("41000\n")
    assert sysfs.number(file) == 41000

    file.write_text("42000\n")
    assert sysfs.number(file, 0.001) == 42
    assert sysfs.text(file) == "42000"


def test_a_missing_file_is_none_until_everything_is_forgotten(sysfs: Sysfs, tmp_path: Path) -> None:
    file = tmp_path / "temp"
    assert sysfs.text(file) is None

    file.write_text("1")
    assert sysfs.text(file) is None

    sysfs.close()
    assert sysfs.text(file) == "1"


def test_a_file_under_a_file_is_missing_too(sysfs: Sysfs, tmp_path: Path) -> None:
    (tmp_path / "device").write_text("")

    assert sysfs.text(tmp_path / "device" / "temp") is None


@pytest.mark.parametrize("garbage", ["", "\n", "on", "nan", "inf", "-1e999", "12 13", "\x00\xff"])
def test_what_is_no_number_is_none(sysfs: Sysfs, tmp_path: Path, garbage: str) -> None:
    (tmp_path / "temp").write_text(garbage)

    assert sysfs.number(tmp_path / "temp") is None


def test_the_first_file_that_has_a_number_counts(sysfs: Sysfs, tmp_path: Path) -> None:
    plant(tmp_path, {"average": "none", "input": 7, "other": 8})

    assert sysfs.first(tmp_path / "missing", tmp_path / "average", tmp_path / "input", tmp_path / "other") == 7
    assert sysfs.first(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("milli", "celsius"),
    [(61500, 61.5), (0, 0), (-5000, -5), (150000, 150), (150001, None), (65261850, None), (-273150, None)],
)
def test_a_temperature_that_no_silicon_has_is_none(
    sysfs: Sysfs, tmp_path: Path, milli: int, celsius: float | None
) -> None:
    plant(tmp_path, {"temp": milli})

    assert sysfs.celsius(tmp_path / "temp") == celsius


@pytest.mark.parametrize("nonsense", [0, -1000, -273150, 65261850, 151000])
def test_nonsense_is_no_limit_and_the_next_file_is_asked(sysfs: Sysfs, tmp_path: Path, nonsense: int) -> None:
    plant(tmp_path, {"crit": nonsense, "max": 90000})

    assert sysfs.limit(tmp_path / "crit") is None
    assert sysfs.limit(tmp_path / "crit", tmp_path / "max") == 90


def test_a_device_that_goes_is_lost_and_its_file_is_let_go(sysfs: Sysfs) -> None:
    with mortal(7) as file:
        assert sysfs.number(file.path) == 7
        file.die()

        with pytest.raises(SensorLostError, match="oom_score_adj can't be read: No such process"):
            sysfs.number(file.path)
        assert sysfs.number(file.path) is None  # it was not there any more when it was opened again


def test_a_forbidden_file_says_so(sysfs: Sysfs, tmp_path: Path) -> None:
    if not UNREADABLE.exists():
        pytest.skip("this kernel has no file that nobody may read")
    with pytest.raises(ForbiddenError, match="compact_memory can't be opened: Permission denied"):
        sysfs.text(UNREADABLE)
    assert sysfs.identity(UNREADABLE) is None


def test_a_loop_of_links_is_lost(sysfs: Sysfs, tmp_path: Path) -> None:
    plant(tmp_path, {"a": tmp_path / "b", "b": tmp_path / "a"})

    with pytest.raises(SensorLostError, match="a can't be opened"):
        sysfs.text(tmp_path / "a")


def test_a_driver_that_has_no_value_now_is_not_lost(sysfs: Sysfs) -> None:
    """Where no security module is loaded, this file of the kernel's answers as such a driver does."""
    silent = Path("/proc/self/attr/current")
    if not silent.exists() or answers(silent) != errno.EINVAL:
        pytest.skip("this kernel has no file that answers EINVAL")
    assert sysfs.text(silent) is None


def test_numbers_in_names_count_as_numbers(sysfs: Sysfs, tmp_path: Path) -> None:
    for number in (10, 2, 1):
        plant(tmp_path, {f"class/hwmon/hwmon{number}/name": "x"})

    assert [path.name for path in sysfs.glob("class/hwmon/hwmon*")] == ["hwmon1", "hwmon2", "hwmon10"]
    assert list(sysfs.glob("class/nothing/*")) == []


def test_a_link_is_known_by_the_name_of_what_it_leads_to(sysfs: Sysfs, tmp_path: Path) -> None:
    plant(tmp_path, {"driver": Path("../../bus/pci/drivers/nvidia"), "file": 1})

    assert sysfs.target(tmp_path / "driver") == "nvidia"
    assert sysfs.target(tmp_path / "file") is None
    assert sysfs.target(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("status", "asleep"),
    [("suspended", True), ("suspending", True), ("active", False), ("resuming", False), ("unsupported", False)],
)
def test_a_suspended_device_is_asleep(sysfs: Sysfs, tmp_path: Path, status: str, *, asleep: bool) -> None:
    plant(tmp_path, {"power/runtime_status": status})

    assert sysfs.asleep(tmp_path) is asleep


def test_a_device_without_power_management_is_awake(sysfs: Sysfs, tmp_path: Path) -> None:
    assert sysfs.asleep(tmp_path) is False


def test_closing_leaves_no_file_open(tmp_path: Path) -> None:
    plant(tmp_path, {"a": 1, "b": 2})
    sysfs = Sysfs(tmp_path)
    before = open_files()
    for name in ("a", "b", "a", "missing"):
        sysfs.text(tmp_path / name)
    assert open_files() == before + 2

    sysfs.close()
    sysfs.close()
    assert open_files() == before
