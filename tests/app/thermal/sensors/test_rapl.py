"""RAPL's domains, as real trees of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.thermal import Reading
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.rapl import RaplSensor, RaplSettings, find
from tests.fakes.sysfs import UNREADABLE, mortal, plant, uproot

DOMAINS = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "uncore",
    "intel-rapl:1": "package-1",
    "intel-rapl:1:0": "core",
    "intel-rapl:2": "psys",
}
MOST = 262_143_328_850


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Two packages; each domain's counter stands at its place in joules. Another driver counts package-0 too."""
    for place, (folder, name) in enumerate(DOMAINS.items(), start=1):
        domain(tmp_path, folder, name=name, energy_uj=place * 1_000_000, max_energy_range_uj=MOST)
    domain(tmp_path, "intel-rapl-mmio:0", name="package-0", energy_uj=99_000_000, max_energy_range_uj=MOST)
    domain(tmp_path, "intel-rapl", enabled=1)
    return tmp_path


def domain(root: Path, folder: str, **files: object) -> None:
    plant(root, {f"class/powercap/{folder}/{name}": content for name, content in files.items()})


def sensor(root: Path, wanted: str = "package-0") -> RaplSensor:
    return RaplSensor(RaplSettings(domain=wanted, root=root), Surroundings("box"))


def test_building_one_touches_nothing(tmp_path: Path) -> None:
    sensor(tmp_path / "nowhere").close()


@pytest.mark.parametrize(
    ("wanted", "joules"),
    [("package-0", 1), ("core", 2), ("package-0/uncore", 3), ("package-1", 4), ("package-1/core", 5), ("psys", 6)],
)
def test_a_domain_goes_by_its_name_alone_or_after_its_packages(machine: Path, wanted: str, joules: float) -> None:
    assert sensor(machine, wanted).read(3.0) == Reading(at=3.0, joules=joules)


def test_the_rise_of_energy_between_two_looks_is_the_power(machine: Path) -> None:
    package = sensor(machine)
    package.read(10.0)
    domain(machine, "intel-rapl:0", energy_uj=31_000_000)

    assert package.read(12.0) == Reading(at=12.0, joules=31, watts=15)


def test_energy_goes_on_when_the_counter_wraps_around(machine: Path) -> None:
    domain(machine, "intel-rapl:0", energy_uj=MOST - 2_000_000)
    package = sensor(machine)
    before = package.read(0.0)
    domain(machine, "intel-rapl:0", energy_uj=5_000_000)
    after = package.read(1.0)

    assert before.joules is not None
    assert after.joules == pytest.approx(before.joules + 7)
    assert after.watts == pytest.approx(7)


def test_without_a_range_a_fall_adds_nothing_and_tells_no_power(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", name="package-0", energy_uj=8_000_000)
    package = sensor(tmp_path)
    package.read(0.0)
    domain(tmp_path, "intel-rapl:0", energy_uj=1_000_000)

    assert package.read(1.0) == Reading(at=1.0, joules=8)


@pytest.mark.skipif(not UNREADABLE.exists(), reason="this kernel has no file that nobody may read")
def test_a_counter_for_root_only_says_how_to_allow_it_and_is_read_once_it_is_allowed(machine: Path) -> None:
    domain(machine, "intel-rapl:0", energy_uj=UNREADABLE)
    package = sensor(machine)
    with pytest.raises(SensorLostError, match=r'only root may read energy_uj .* SUBSYSTEM=="powercap".*chgrp .*g\+r'):
        package.read(1.0)

    domain(machine, "intel-rapl:0", energy_uj=7_000_000)
    assert package.read(2.0).joules == 7


def test_a_counter_that_goes_is_found_again_under_another_number_and_its_gap_counts_nothing(machine: Path) -> None:
    with mortal(500) as file:
        domain(machine, "intel-rapl:0", energy_uj=file.path)
        package = sensor(machine)
        assert package.read(1.0).joules == pytest.approx(500e-6)
        file.die()
        with pytest.raises(SensorLostError, match="energy_uj can't be read"):
            package.read(2.0)

    uproot(machine, "class/powercap/intel-rapl:0")
    domain(machine, "intel-rapl:3", name="package-0", energy_uj=70_000_000)
    back = package.read(3.0)
    assert back.joules == pytest.approx(500e-6)
    assert back.watts is None
    domain(machine, "intel-rapl:3", energy_uj=80_000_000)
    assert package.read(4.0).watts == 10


def test_a_counter_that_makes_no_sense_is_lost(machine: Path) -> None:
    domain(machine, "intel-rapl:0", energy_uj="many")

    with pytest.raises(SensorLostError, match="package-0 says nothing of its energy"):
        sensor(machine).read(0)


def test_a_domain_that_is_not_there_is_lost_and_those_that_are_there_are_named(machine: Path) -> None:
    with pytest.raises(SensorLostError, match="no domain dram here, but package-0, package-1, psys, package-0/core"):
        sensor(machine, "dram").read(0)


def test_a_machine_without_rapl_is_lost_and_has_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(SensorLostError, match="no RAPL here"):
        sensor(tmp_path).read(0)
    assert list(find(tmp_path)) == []


def test_every_domain_is_found_by_a_name_that_is_its_own(machine: Path) -> None:
    found = list(find(machine))

    assert [settings.domain for settings in found] == [
        "package-0",
        "package-1",
        "psys",
        "package-0/core",
        "package-0/uncore",
        "package-1/core",
    ]
    assert [RaplSensor(settings, Surroundings("cpu")).read(0).joules for settings in found] == [1, 4, 6, 2, 3, 5]


def test_a_package_that_went_is_not_found(machine: Path) -> None:
    uproot(machine, "class/powercap/intel-rapl:1")

    assert "package-1" not in [settings.domain for settings in find(machine)]
