"""Load, memory and clock as psutil tells them; heat only where nothing would be woken by it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.psutil import PsutilSensor, PsutilSettings, find


class Linux(NamedTuple):
    user: float = 0
    nice: float = 0
    system: float = 0
    idle: float = 0
    iowait: float = 0
    guest: float = 0


class Mac(NamedTuple):
    user: float
    nice: float
    system: float
    idle: float


BOX = Surroundings("box")


def place(current: float, high: float | None = None, critical: float | None = None) -> Any:
    return SimpleNamespace(current=current, high=high, critical=critical)


def library(**functions: Any) -> Any:
    """A psutil that has these functions besides those that every system has."""
    every = {
        "virtual_memory": lambda: SimpleNamespace(total=1000, available=400, used=1),
        "cpu_times": lambda: Linux(idle=1.0),
    }
    return SimpleNamespace(**every, **{name: lambda said=said: said for name, said in functions.items()})


def sensor(psutil: Any, **keys: Any) -> PsutilSensor:
    return PsutilSensor(PsutilSettings(**keys), BOX, library=lambda: psutil)


def utilisation(*times: Any) -> float | None:
    """Of the last reading, when the counters stood so at one reading after the other."""
    coming = iter(times)
    watched = sensor(SimpleNamespace(virtual_memory=library().virtual_memory, cpu_times=lambda: next(coming)))
    return [watched.read(float(second)).utilisation for second, _ in enumerate(times)][-1]


def test_memory_that_can_not_be_had_is_used() -> None:
    reading = sensor(library()).read(3.0)

    assert (reading.at, reading.memory_used_bytes, reading.memory_total_bytes) == (3.0, 600, 1000)


def test_the_first_reading_has_no_utilisation() -> None:
    assert utilisation(Linux(user=5.0, idle=5.0)) is None


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (Linux(user=1, idle=1), Linux(user=2, idle=4), 0.25),
        (Linux(user=1, idle=1), Linux(user=1, idle=3), 0.0),
        (Linux(user=1, system=1), Linux(user=2, system=2), 1.0),
        (Linux(idle=1, iowait=1), Linux(user=1, idle=2, iowait=3), 0.25),
        (Linux(user=1, idle=1), Linux(user=2, idle=2, guest=1), 0.5),
        (Mac(1, 0, 0, 1), Mac(1.5, 0.5, 1, 3), 0.5),
    ],
)
def test_utilisation_is_the_share_of_time_that_was_neither_idle_nor_waiting(
    before: Any, after: Any, share: float
) -> None:
    assert utilisation(before, after) == share


def test_utilisation_is_that_since_the_last_reading_and_not_since_the_start() -> None:
    assert utilisation(Linux(user=0, idle=0), Linux(user=9, idle=1), Linux(user=9, idle=2)) == 0.0


def test_no_time_between_two_readings_is_no_utilisation() -> None:
    assert utilisation(Linux(user=1, idle=1), Linux(user=1, idle=1)) is None


def test_idle_time_that_the_kernel_takes_back_is_no_more_than_all() -> None:
    assert utilisation(Linux(user=1, idle=5), Linux(user=3, idle=4)) == 1.0


def test_the_clock_is_told_where_the_system_has_it() -> None:
    assert sensor(library(cpu_freq=SimpleNamespace(current=2400.5))).read(1.0).megahertz == 2400.5


@pytest.mark.parametrize("psutil", [library(), library(cpu_freq=None), library(cpu_freq=SimpleNamespace(current=0.0))])
def test_a_clock_that_nobody_knows_is_unknown(psutil: Any) -> None:
    assert sensor(psutil).read(1.0).megahertz is None


def test_a_system_that_can_not_tell_its_clock_here_leaves_it_unknown() -> None:
    def cpu_freq() -> Any:
        raise NotImplementedError

    psutil = library()
    psutil.cpu_freq = cpu_freq
    assert sensor(psutil).read(1.0).megahertz is None


HEAT = {
    "coretemp": [place(50.0, 80.0, 100.0), place(61.0, 82.0, 101.0)],
    "nvme": [place(70.0, 81.0, 84.0)],
}
FANS = {"thinkpad": [SimpleNamespace(current=2100), SimpleNamespace(current=2600)]}


def test_heat_is_left_alone_unless_it_is_asked_for() -> None:
    """psutil reads every chip that there is, also that of a graphics card which sleeps."""

    def asked() -> Any:
        raise AssertionError("it woke the card")

    psutil = library()
    psutil.sensors_temperatures = psutil.sensors_fans = asked
    reading = sensor(psutil).read(1.0)

    assert (reading.celsius, reading.fan_rpm) == (None, None)


def test_the_hottest_place_of_the_cpu_counts_with_its_own_limits() -> None:
    reading = sensor(library(sensors_temperatures=HEAT, sensors_fans=FANS), temperatures=True).read(1.0)

    assert (reading.celsius, reading.limit_slowdown_celsius, reading.limit_shutdown_celsius) == (61.0, 82.0, 101.0)
    assert reading.fan_rpm == 2600


def test_other_chips_can_be_meant() -> None:
    reading = sensor(library(sensors_temperatures=HEAT), temperatures=True, chips=("nvme",)).read(1.0)

    assert reading.celsius == 70.0


@pytest.mark.parametrize("psutil", [library(), library(sensors_temperatures={}, sensors_fans={})])
def test_a_system_that_tells_no_heat_has_none(psutil: Any) -> None:
    reading = sensor(psutil, temperatures=True).read(1.0)

    assert (reading.celsius, reading.fan_rpm, reading.limit_slowdown_celsius) == (None, None, None)


def test_a_limit_of_zero_is_none() -> None:
    psutil = library(sensors_temperatures={"k10temp": [place(50.0, 0.0, 0.0)]})
    reading = sensor(psutil, temperatures=True).read(1.0)

    assert (reading.limit_slowdown_celsius, reading.limit_shutdown_celsius) == (None, None)


def test_a_system_that_refuses_is_lost() -> None:
    def refused() -> Any:
        raise PermissionError(13, "Permission denied")

    psutil = library()
    psutil.virtual_memory = refused
    with pytest.raises(SensorLostError, match="the system does not tell: Permission denied"):
        sensor(psutil).read(1.0)


def test_heat_is_asked_for_only_where_there_is_no_sysfs(tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()

    assert list(find(tmp_path)) == [PsutilSettings(temperatures=False)]
    assert list(find(tmp_path / "nowhere")) == [PsutilSettings(temperatures=True)]


def test_the_real_psutil_tells_of_this_very_machine() -> None:
    watched = PsutilSensor(PsutilSettings(), BOX)
    reading = watched.read(1.0)
    watched.close()

    assert reading.memory_total_bytes is not None
    assert reading.memory_used_bytes is not None
    assert 0 < reading.memory_used_bytes < reading.memory_total_bytes
