"""NVIDIA's cards: the real binding on a driver library that is compiled here, and sysfs as a tree of files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.domain.thermal import Reading
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.nvml import NvmlSensor, NvmlSettings, find
from tests.fakes.nvml import DRIVER_NOT_LOADED, GPU_IS_LOST, NO_PERMISSION, UNKNOWN, FakeNvml, compiled, compiler
from tests.fakes.sysfs import plant

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler to build a driver library with")

Sensed = Callable[..., NvmlSensor]
_ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def nvml(built: Path, tmp_path: Path) -> FakeNvml:
    """A driver with two cards."""
    nvml = FakeNvml(built, tmp_path / "driver", cards=2)
    nvml.says("nvmlDeviceGetTemperatureV", 61)
    return nvml


@pytest.fixture(autouse=True)
def fresh_binding() -> Iterator[None]:
    """The binding keeps the library that it has loaded for as long as it lives."""
    sys.modules.pop("pynvml", None)
    yield
    sys.modules.pop("pynvml", None)


@pytest.fixture
def sensor(nvml: FakeNvml, tmp_path: Path) -> Iterator[Sensed]:
    opened: list[NvmlSensor] = []

    def build(**settings: object) -> NvmlSensor:
        known = {"library": nvml.library, "root": tmp_path / "sys", **settings}
        opened.append(NvmlSensor(NvmlSettings(**known), Surroundings("box")))
        return opened[-1]

    yield build
    for one in opened:
        one.close()


def card(tmp_path: Path, bus_id: str, status: str = "active", **files: object) -> None:
    """A card of NVIDIA's in sysfs; one of AMD's and a sound device of NVIDIA's are beside it."""
    folder = "sys/bus/pci/devices"
    sound = f"{folder}/{bus_id.replace('.0', '.1')}"
    plant(
        tmp_path,
        {
            f"{folder}/{bus_id}/vendor": "0x10de",
            f"{folder}/{bus_id}/class": "0x030000",
            f"{folder}/{bus_id}/power/runtime_status": status,
            f"{sound}/vendor": "0x10de",
            f"{sound}/class": "0x040300",
            f"{folder}/0000:00:02.0/vendor": "0x1002",
            f"{folder}/0000:00:02.0/class": "0x030000",
            **{f"{folder}/{bus_id}/{name}": content for name, content in files.items()},
        },
    )


def test_building_one_touches_nothing(sensor: Sensed, nvml: FakeNvml) -> None:
    sensor().close()

    assert nvml.calls == []
    assert "pynvml" not in sys.modules


def test_a_card_tells_all_that_it_has(sensor: Sensed, nvml: FakeNvml) -> None:
    nvml.says("nvmlDeviceGetTemperatureThreshold", 98, 93)
    nvml.says("nvmlDeviceGetPowerUsage", 35_500)
    nvml.says("nvmlDeviceGetTotalEnergyConsumption", 7_250_500)
    nvml.says("nvmlDeviceGetFanSpeed", 42)
    nvml.says("nvmlDeviceGetUtilizationRates", 37, 90)
    nvml.says("nvmlDeviceGetMemoryInfo", 3 << 30, 24 << 30)
    nvml.says("nvmlDeviceGetClockInfo", 1980)
    nvml.says("nvmlDeviceGetCurrentClocksEventReasons", 0)

    assert sensor().read(5.0) == Reading(
        at=5.0,
        celsius=61,
        watts=35.5,
        joules=7250.5,
        fan_percent=42,
        utilisation=0.37,
        megahertz=1980,
        memory_used_bytes=3 << 30,
        memory_total_bytes=24 << 30,
        throttling=False,
        limit_slowdown_celsius=93,
        limit_shutdown_celsius=98,
    )


def test_what_a_card_does_not_support_is_unknown(sensor: Sensed) -> None:
    assert sensor().read(5.0) == Reading(at=5.0, celsius=61)


@pytest.mark.parametrize("code", [NO_PERMISSION, UNKNOWN])
def test_a_function_that_fails_makes_only_its_own_value_unknown(sensor: Sensed, nvml: FakeNvml, code: int) -> None:
    nvml.says("nvmlDeviceGetFanSpeed", 42)
    nvml.fails("nvmlDeviceGetPowerUsage", code)

    reading = sensor().read(0)
    assert (reading.celsius, reading.watts, reading.fan_percent) == (61, None, 42)


def test_an_old_driver_is_asked_by_the_old_names(tmp_path: Path, sensor: Sensed) -> None:
    old = FakeNvml(compiled(tmp_path, old=True), tmp_path / "old")
    old.says("nvmlDeviceGetTemperature", 71)
    old.says("nvmlDeviceGetCurrentClocksThrottleReasons", 0x20)

    reading = sensor(library=old.library).read(0)
    assert (reading.celsius, reading.throttling) == (71, True)


@pytest.mark.parametrize(
    ("reasons", "throttling"),
    [
        (0x0, False),
        (0x1, False),  # idle
        (0x4, False),  # at its power cap
        (0x1 | 0x2 | 0x4 | 0x10 | 0x100, False),
        (0x8, True),
        (0x20, True),
        (0x40, True),
        (0x80, True),
        (0x4 | 0x20, True),
    ],
)
def test_only_heat_and_failing_power_count_as_throttling(
    sensor: Sensed, nvml: FakeNvml, reasons: int, *, throttling: bool
) -> None:
    nvml.says("nvmlDeviceGetCurrentClocksEventReasons", reasons)

    assert sensor().read(0).throttling is throttling


def test_limits_are_asked_for_once_and_nonsense_is_none(sensor: Sensed, nvml: FakeNvml) -> None:
    nvml.says("nvmlDeviceGetTemperatureThreshold", 4_000_000_000, 0)
    gpu = sensor()
    gpu.read(0)
    reading = gpu.read(1)

    assert (reading.limit_slowdown_celsius, reading.limit_shutdown_celsius) == (None, None)
    assert nvml.calls.count("nvmlDeviceGetTemperatureThreshold") == 2
    assert nvml.calls.count("nvmlInitWithFlags") == 1


def test_energy_never_falls_when_the_driver_begins_to_count_anew(sensor: Sensed, nvml: FakeNvml) -> None:
    gpu = sensor()
    joules: list[float | None] = []
    for millijoules in (9_000_000, 9_500_000, 1_000, 3_000):
        nvml.says("nvmlDeviceGetTotalEnergyConsumption", millijoules)
        joules.append(gpu.read(float(len(joules))).joules)

    assert joules == [9000, 9500, 9500, 9502]


def test_what_was_counted_while_the_card_was_lost_is_not_added(sensor: Sensed, nvml: FakeNvml) -> None:
    """It may be another card that has come back, with a past of its own."""
    nvml.says("nvmlDeviceGetTotalEnergyConsumption", 5_000)
    gpu = sensor()
    gpu.read(0)
    nvml.fails("nvmlDeviceGetFanSpeed", GPU_IS_LOST)
    with pytest.raises(SensorLostError):
        gpu.read(1)

    nvml.says("nvmlDeviceGetFanSpeed", 30)
    nvml.says("nvmlDeviceGetTotalEnergyConsumption", 9_000_000)
    assert gpu.read(2).joules == 5
    nvml.says("nvmlDeviceGetTotalEnergyConsumption", 9_002_000)
    assert gpu.read(3).joules == 7


@pytest.mark.parametrize("status", ["suspended", "suspending"])
@pytest.mark.parametrize("device", [0, "0000:00:0a.0", "00000000:00:0A.0", "00:0a.0", "GPU-0"])
def test_a_suspended_card_is_left_asleep_and_no_driver_is_even_loaded(
    tmp_path: Path, sensor: Sensed, nvml: FakeNvml, status: str, device: object
) -> None:
    card(tmp_path, "0000:00:0a.0", status)
    gpu = sensor(device=device)

    assert gpu.read(3.0) == Reading(at=3.0, asleep=True)
    assert gpu.read(4.0) == Reading(at=4.0, asleep=True)
    assert nvml.calls == []
    assert "pynvml" not in sys.modules


def test_a_card_that_falls_asleep_is_not_asked_again_until_it_wakes(
    tmp_path: Path, sensor: Sensed, nvml: FakeNvml
) -> None:
    card(tmp_path, "0000:0a:00.0")
    gpu = sensor()
    assert gpu.read(1.0).celsius == 61

    card(tmp_path, "0000:0a:00.0", "suspended")
    before = nvml.calls
    assert gpu.read(2.0).asleep
    assert nvml.calls == before

    card(tmp_path, "0000:0a:00.0", "active")
    assert gpu.read(3.0).celsius == 61


def test_an_index_counts_nvidias_cards_in_the_order_of_the_bus(tmp_path: Path, sensor: Sensed, nvml: FakeNvml) -> None:
    """A card that another driver has, for a virtual machine say, does not count: NVML does not see it either."""
    card(tmp_path, "0000:09:00.0", "suspended", driver=Path("../../drivers/vfio-pci"))
    card(tmp_path, "0001:0a:00.0", "suspended", driver=Path("../../drivers/nvidia"))
    card(tmp_path, "0000:0a:00.0", "active", driver=Path("../../drivers/nvidia"))

    assert sensor(device=1).read(0).asleep
    assert nvml.calls == []
    assert sensor(device=0).read(0).celsius == 61


def test_once_known_the_cards_own_bus_id_says_whether_it_sleeps(tmp_path: Path, sensor: Sensed) -> None:
    """A container may be given card 1 of the machine alone, which sysfs counts otherwise than NVML."""
    card(tmp_path, "0000:05:00.0", "active")
    card(tmp_path, "0000:0a:00.0", "suspended")
    gpu = sensor(device=0)
    assert not gpu.read(0).asleep

    assert gpu.read(1).asleep


def test_a_uuid_is_not_looked_for_while_another_card_sleeps(tmp_path: Path, sensor: Sensed, nvml: FakeNvml) -> None:
    card(tmp_path, "0000:0a:00.0", "active")
    card(tmp_path, "0001:0a:00.0", "suspended")
    gpu = sensor(device="GPU-0")
    with pytest.raises(SensorLostError, match=r"another card sleeps.*GPU-0.*bus id"):
        gpu.read(0)
    assert nvml.calls == []

    card(tmp_path, "0001:0a:00.0", "active")
    assert gpu.read(1).celsius == 61
    card(tmp_path, "0001:0a:00.0", "suspended")
    assert gpu.read(2).celsius == 61


@pytest.mark.parametrize(
    ("device", "function"),
    [
        (1, "nvmlDeviceGetHandleByIndex_v2"),
        ("GPU-1", "nvmlDeviceGetHandleByUUID"),
        ("0001:0A:00.0", "nvmlDeviceGetHandleByPciBusId_v2"),
    ],
)
def test_a_card_goes_by_index_uuid_or_bus_id(sensor: Sensed, nvml: FakeNvml, device: object, function: str) -> None:
    assert sensor(device=device).read(0).celsius == 61
    assert function in nvml.calls


@pytest.mark.parametrize("device", [2, "GPU-2", "0002:0a:00.0"])
def test_a_card_that_is_not_there_is_lost_and_nvml_is_let_go(sensor: Sensed, nvml: FakeNvml, device: object) -> None:
    gpu = sensor(device=device)
    with pytest.raises(SensorLostError, match=f"NVML has no card {device}"):
        gpu.read(0)
    assert nvml.calls[-1] == "nvmlShutdown"

    nvml.says("cards", 3)
    assert gpu.read(1).celsius == 61


@pytest.mark.parametrize("device", [-1, 60.0, "gpu0", "0000:01:00", "GPU-", "", True])
def test_what_names_no_card_is_a_wrong_setting(device: object) -> None:
    with pytest.raises(ValidationError):
        NvmlSettings(device=device)


@pytest.mark.parametrize("function", ["nvmlDeviceGetTemperatureV", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetFanSpeed"])
def test_a_card_that_falls_off_the_bus_is_lost_and_nvml_begins_anew(
    sensor: Sensed, nvml: FakeNvml, function: str
) -> None:
    gpu = sensor()
    gpu.read(0)
    nvml.fails(function, GPU_IS_LOST)
    with pytest.raises(SensorLostError, match="NVML has lost the card: GPU is lost"):
        gpu.read(1)
    assert nvml.calls[-1] == "nvmlShutdown"

    nvml.says(function, 62)
    assert gpu.read(2).at == 2
    assert nvml.calls.count("nvmlInitWithFlags") == 2


def test_a_driver_that_is_not_loaded_is_lost_until_it_is(sensor: Sensed, nvml: FakeNvml) -> None:
    nvml.fails("nvmlInitWithFlags", DRIVER_NOT_LOADED)
    gpu = sensor()
    for _ in range(2):
        with pytest.raises(SensorLostError, match="NVML does not start: Driver Not Loaded"):
            gpu.read(0)

    nvml.says("nvmlInitWithFlags")
    assert gpu.read(1).celsius == 61


def test_a_driver_that_fails_at_everything_is_lost(sensor: Sensed, nvml: FakeNvml) -> None:
    nvml.fails("nvmlDeviceGetTemperatureV", UNKNOWN)

    with pytest.raises(SensorLostError, match="answers nothing"):
        sensor().read(0)


def test_two_cards_share_nvml_and_the_last_one_lets_it_go(sensor: Sensed, nvml: FakeNvml) -> None:
    first, second = sensor(device=0), sensor(device=1)
    first.read(0)
    second.read(0)
    first.close()
    assert second.read(1).celsius == 61

    second.close()
    second.close()
    assert nvml.calls.count("nvmlInitWithFlags") == nvml.calls.count("nvmlShutdown") == 2


def test_one_card_that_is_lost_for_good_does_not_harm_another(sensor: Sensed, nvml: FakeNvml) -> None:
    healthy, lost = sensor(device=0), sensor(device="GPU-1")
    healthy.read(0)
    nvml.fails("nvmlDeviceGetHandleByUUID", GPU_IS_LOST)
    for now in range(3):
        with pytest.raises(SensorLostError):
            lost.read(now)
        assert healthy.read(now).celsius == 61


def test_cards_may_be_read_by_several_threads_at_once(sensor: Sensed, nvml: FakeNvml) -> None:
    sensors = [sensor(device=number % 2) for number in range(8)]
    together = threading.Barrier(len(sensors))
    heats: list[float | None] = []

    def poll(one: NvmlSensor) -> None:
        together.wait(timeout=10)
        heats.extend(one.read(now).celsius for now in range(5))
        one.close()

    threads = [threading.Thread(target=poll, args=(one,)) for one in sensors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert heats == [61] * 40


def test_a_missing_library_is_lost_until_it_is_there(tmp_path: Path, built: Path, sensor: Sensed) -> None:
    gpu = sensor(library=tmp_path / "later" / "libnvidia-ml.so.1")
    with pytest.raises(SensorLostError, match="NVML can't be loaded"):
        gpu.read(0)

    FakeNvml(built, tmp_path / "later").says("nvmlDeviceGetTemperatureV", 44)
    assert gpu.read(1).celsius == 44


def test_a_process_can_not_have_two_libraries(tmp_path: Path, built: Path, sensor: Sensed, nvml: FakeNvml) -> None:
    other = FakeNvml(built, tmp_path / "other")
    sensor().read(0)

    with pytest.raises(SensorLostError, match=f"loaded from {nvml.library} already.* from {other.library}"):
        sensor(library=other.library).read(0)
    with pytest.raises(SensorLostError, match=r"a second one from libnvidia-ml\.so\.1"):
        sensor(library=None).read(0)
    assert other.calls == []


def in_a_process_of_its_own(*lines: str, **environment: str) -> str:
    """What the lines print, where a sensor without a library of its own is built."""
    script = "\n".join(
        [
            "from pathlib import Path",
            "from app.thermal.sensor import SensorLostError, Surroundings",
            "from app.thermal.sensors.nvml import NvmlSensor, NvmlSettings",
            *lines,
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


READ = (
    "sensor = NvmlSensor(NvmlSettings(root=Path('/nowhere')), Surroundings('box'))",
    "try:",
    "    print(sensor.read(0).celsius)",
    "except SensorLostError as error:",
    "    print(error)",
)


def test_without_a_path_the_systems_library_is_loaded(nvml: FakeNvml) -> None:
    assert in_a_process_of_its_own(*READ, LD_LIBRARY_PATH=str(nvml.library.parent)) == "61"


def test_without_the_binding_it_is_lost_and_says_what_is_missing() -> None:
    said = in_a_process_of_its_own("import sys", "sys.modules['pynvml'] = None", *READ)

    assert said.startswith("nvidia-ml-py can't be loaded")


def test_every_card_in_sysfs_is_found_also_a_sleeping_one_and_the_driver_is_not_asked(tmp_path: Path) -> None:
    card(tmp_path, "0000:0a:00.0", "suspended")
    card(tmp_path, "0000:0b:00.0", "active", **{"class": "0x030200"})
    plant(tmp_path, {"sys/bus/pci/devices/garbage/vendor": "0x10de", "sys/bus/pci/devices/garbage/class": "0x030000"})

    assert list(find(tmp_path / "sys")) == [
        NvmlSettings(device=0, root=tmp_path / "sys"),
        NvmlSettings(device=1, root=tmp_path / "sys"),
    ]
    assert "pynvml" not in sys.modules
    assert list(find(tmp_path / "nowhere")) == []
