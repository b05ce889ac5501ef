"""Intel's NPU, as a real tree of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.thermal import Reading
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.intel_npu import IntelNpuSensor, IntelNpuSettings, find
from tests.fakes.sysfs import mortal, plant, uproot

NPU = {
    "driver": Path("../../../bus/pci/drivers/intel_vpu"),
    "power/runtime_status": "active",
    "npu_busy_time_us": 1_000_000,
    "npu_current_frequency_mhz": 1400,
    "npu_memory_utilization": 268_435_456,
}
LOOPS = {name: Path(name) for name in NPU if name.startswith("npu_")}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """An NPU beside another maker's."""
    plant(tmp_path, {"class/accel/accel0/device/driver": Path("../../../bus/pci/drivers/amdxdna")})
    npu(tmp_path, **NPU)
    return tmp_path


def npu(root: Path, **files: object) -> None:
    plant(root, {f"class/accel/accel1/device/{name}": content for name, content in files.items()})


def sensor(root: Path) -> IntelNpuSensor:
    return IntelNpuSensor(IntelNpuSettings(root=root), Surroundings("box"))


def test_building_one_touches_nothing(tmp_path: Path) -> None:
    sensor(tmp_path / "nowhere").close()


def test_what_the_driver_tells_is_read_and_the_rest_is_unknown(machine: Path) -> None:
    assert sensor(machine).read(5.0) == Reading(at=5.0, megahertz=1400, memory_used_bytes=1 << 28)


def test_utilisation_is_the_busy_share_of_the_time_between_two_looks(machine: Path) -> None:
    device = sensor(machine)
    assert device.read(10.0).utilisation is None

    npu(machine, npu_busy_time_us=1_500_000)
    assert device.read(12.0).utilisation == 0.25
    assert device.read(13.0).utilisation == 0


def test_utilisation_is_never_over_one(machine: Path) -> None:
    device = sensor(machine)
    device.read(10.0)
    npu(machine, npu_busy_time_us=2_100_000)

    assert device.read(11.0).utilisation == 1


def test_the_busy_time_is_looked_at_once_a_second_and_repeated_in_between(machine: Path) -> None:
    device = sensor(machine)
    device.read(10.0)
    npu(machine, npu_busy_time_us=1_500_000)
    assert device.read(11.0).utilisation == 0.5

    npu(machine, npu_busy_time_us=2_300_000, npu_current_frequency_mhz=950)
    between = device.read(11.75)
    assert (between.utilisation, between.megahertz) == (0.5, 950)
    assert device.read(12.0).utilisation == pytest.approx(0.8)


def test_a_driver_that_was_loaded_anew_tells_no_utilisation_at_first(machine: Path) -> None:
    device = sensor(machine)
    device.read(10.0)
    npu(machine, npu_busy_time_us=1000)
    assert device.read(12.0).utilisation is None

    npu(machine, npu_busy_time_us=1_001_000)
    assert device.read(14.0).utilisation == 0.5


def test_heat_and_power_are_known_where_the_kernel_gives_them(machine: Path) -> None:
    npu(machine, **{"hwmon/hwmon4/temp1_input": 51000, "hwmon/hwmon4/power1_input": 3_500_000})
    reading = sensor(machine).read(0)

    assert (reading.celsius, reading.watts, reading.joules) == (51, 3.5, None)


def test_where_only_energy_is_counted_its_rise_is_the_power(machine: Path) -> None:
    npu(machine, **{"hwmon/hwmon4/energy1_input": 2**32 - 1_000_000})
    device = sensor(machine)
    first = device.read(0.0)
    npu(machine, **{"hwmon/hwmon4/energy1_input": 5_000_000})
    second = device.read(2.0)

    assert first.watts is None
    assert first.joules is not None
    assert second.joules == pytest.approx(first.joules + 6)
    assert second.watts == pytest.approx(3)


@pytest.mark.parametrize("status", ["suspended", "suspending"])
def test_a_suspended_npu_is_left_asleep(machine: Path, status: str) -> None:
    """What it would tell can't be read: the files are loops of links."""
    npu(machine, **{**LOOPS, "power/runtime_status": status})
    device = sensor(machine)
    assert device.read(3.0) == Reading(at=3.0, asleep=True)

    npu(machine, **NPU)
    assert device.read(4.0).megahertz == 1400


def test_an_npu_that_goes_is_lost_and_found_again_under_another_number(machine: Path) -> None:
    with mortal(950) as file:
        npu(machine, **{"npu_current_frequency_mhz": file.path, "hwmon/hwmon4/energy1_input": 5_000_000})
        device = sensor(machine)
        assert device.read(1.0).megahertz == 950
        file.die()
        with pytest.raises(SensorLostError, match="npu_current_frequency_mhz can't be read"):
            device.read(2.0)

    uproot(machine, "class/accel/accel1")
    with pytest.raises(SensorLostError, match="no NPU with the driver intel_vpu"):
        device.read(3.0)

    plant(machine, {f"class/accel/accel7/device/{name}": content for name, content in NPU.items()})
    plant(machine, {"class/accel/accel7/device/hwmon/hwmon6/energy1_input": 9_000_000_000})
    back = device.read(3.5)
    assert (back.megahertz, back.utilisation, back.joules, back.watts) == (1400, None, 5, None)


def test_a_kernel_that_tells_nothing_is_lost(machine: Path) -> None:
    for name in LOOPS:
        uproot(machine, f"class/accel/accel1/device/{name}")

    with pytest.raises(SensorLostError, match="tells nothing"):
        sensor(machine).read(0)


def test_one_is_found_where_the_driver_is_intels(machine: Path) -> None:
    found = list(find(machine))

    assert found == [IntelNpuSettings(root=machine)]
    assert IntelNpuSensor(found[0], Surroundings("npu")).read(0).megahertz == 1400


def test_none_is_found_where_there_is_none(machine: Path) -> None:
    uproot(machine, "class/accel/accel1")

    assert list(find(machine)) == []
    assert list(find(machine / "nowhere")) == []
