"""Pages of real exporters, cut down to the lines that matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.thermal import Battery, Reading, ThermalState, TripPoints, Zone
from app.telemetry.exposition import expose
from app.telemetry.metrics import Metrics
from app.thermal.exporters import EXPORTERS, Fields, battery, chosen, cpus, fields, samples, together

NODE = """\
# HELP node_hwmon_chip_names Annotation metric for human-readable chip names
# TYPE node_hwmon_chip_names gauge
node_hwmon_chip_names{chip="nvme_nvme0",chip_name="nvme"} 1
node_hwmon_chip_names{chip="platform_coretemp_0",chip_name="coretemp"} 1
# TYPE node_hwmon_temp_celsius gauge
node_hwmon_temp_celsius{chip="nvme_nvme0",sensor="temp1"} 48.85
node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"} 61
node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp2"} 57
node_hwmon_temp_max_celsius{chip="nvme_nvme0",sensor="temp1"} 81.85
node_hwmon_temp_max_celsius{chip="platform_coretemp_0",sensor="temp1"} 80
node_hwmon_temp_crit_celsius{chip="nvme_nvme0",sensor="temp1"} 84.85
node_hwmon_temp_crit_celsius{chip="platform_coretemp_0",sensor="temp1"} 100
node_hwmon_temp_crit_alarm_celsius{chip="platform_coretemp_0",sensor="temp1"} 0
node_hwmon_fan_rpm{chip="platform_thinkpad_hwmon",sensor="fan1"} 2100
node_hwmon_power_watt{chip="0000:c4:00_0",sensor="ppt"} 14.5
# TYPE node_rapl_package_joules_total counter
node_rapl_package_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0"} 38354.045387
node_rapl_package_joules_total{index="0",path="/sys/class/powercap/intel-rapl-mmio:0"} 38354.1
node_thermal_zone_temp{type="acpitz",zone="0"} 99
node_load1 0.21
"""
LAPTOP = """\
node_power_supply_capacity{power_supply="BAT0"} 97
node_power_supply_capacity{power_supply="hidpp_battery_0"} 5
node_power_supply_info{power_supply="AC",type="Mains"} 1
node_power_supply_info{power_supply="BAT0",status="Discharging",type="Battery"} 1
node_power_supply_info{power_supply="hidpp_battery_0",scope="Device",type="Battery"} 1
node_power_supply_info{power_supply="ucsi-source-psy-USBC000:001",scope="Device",type="USB"} 1
node_power_supply_online{power_supply="AC"} 0
node_power_supply_online{power_supply="ucsi-source-psy-USBC000:001"} 1
"""
DCGM = """\
# TYPE DCGM_FI_DEV_GPU_TEMP gauge
DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 68
DCGM_FI_DEV_GPU_TEMP{gpu="1",UUID="GPU-1",device="nvidia1",Hostname="a"} 72
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 227.5
DCGM_FI_DEV_POWER_USAGE{gpu="1",UUID="GPU-1",device="nvidia1",Hostname="a"} 100
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 64392050
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 12
DCGM_FI_DEV_SM_CLOCK{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 1410
DCGM_FI_DEV_FB_FREE{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 20000
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 4576
DCGM_FI_DEV_FAN_SPEED{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 35
DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 32
DCGM_FI_DEV_SLOWDOWN_TEMP{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 90
DCGM_FI_DEV_SHUTDOWN_TEMP{gpu="0",UUID="GPU-0",device="nvidia0",Hostname="a"} 95
"""
ISOTHERM = """\
isotherm_zone_temperature_celsius{zone="gpu0"} 71
isotherm_zone_temperature_celsius{zone="soc"} 55
isotherm_zone_power_watts{zone="gpu0"} 180
isotherm_zone_energy_joules_total{zone="gpu0"} 1234.5
isotherm_zone_fan_ratio{zone="gpu0"} 0.45
isotherm_zone_utilisation_ratio{zone="gpu0"} 0.9
isotherm_zone_throttling{zone="gpu0"} 1
isotherm_zone_throttling{zone="soc"} 0
"""
MIB = 1024 * 1024


def told(page: str, exporter: str = "auto", **select: str) -> Fields:
    return fields(chosen(samples(page), select), exporter)


def values(page: str, exporter: str = "auto", **select: str) -> dict[str, Any]:
    """Fields of a reading, those that are unknown left out."""
    found = together(told(page, exporter, **select), cpus(samples(page)))
    return {name: value for name, value in found.items() if value is not None}


def joules(page: str, **select: str) -> list[float]:
    return list(told(page, **select).get("joules", {}).values())


def test_every_metric_tells_a_field_that_a_reading_has_or_that_becomes_one() -> None:
    becomes = {"memory_free_bytes", "max", "crit", "emergency"}
    names = {metric.field for metrics in EXPORTERS.values() for metric in metrics.values()}

    assert names - becomes <= set(Reading.__dataclass_fields__)


def test_dcgm_tells_one_card_in_units_of_ours() -> None:
    assert values(DCGM, gpu="0") == {
        "celsius": 68,
        "watts": 227.5,
        "fan_percent": 35,
        "utilisation": 0.12,
        "megahertz": 1410,
        "memory_used_bytes": 4576 * MIB,
        "memory_total_bytes": 24576 * MIB,
        "throttling": True,
        "limit_slowdown_celsius": 90,
        "limit_shutdown_celsius": 95,
    }
    assert joules(DCGM, gpu="0") == [64392.05]


def test_without_a_selection_the_hottest_card_counts_and_watts_are_summed() -> None:
    both = values(DCGM)

    assert (both["celsius"], both["watts"]) == (72, 327.5)
    assert "limit_slowdown_celsius" not in both, "those are the other card's"


def test_without_a_selection_each_field_is_told_as_it_is_for_a_machine() -> None:
    """What heats or is heard is that of the worst card; what is used up is that of both."""
    second = """
DCGM_FI_DEV_GPU_UTIL{gpu="1"} 90
DCGM_FI_DEV_SM_CLOCK{gpu="1"} 900
DCGM_FI_DEV_FB_FREE{gpu="1"} 100
DCGM_FI_DEV_FB_USED{gpu="1"} 50
DCGM_FI_DEV_FAN_SPEED{gpu="1"} 20
DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{gpu="1"} 0
"""
    both = values(DCGM + second)

    assert (both["utilisation"], both["megahertz"], both["fan_percent"], both["throttling"]) == (0.9, 1410, 35, True)
    assert (both["memory_used_bytes"], both["memory_total_bytes"]) == (4626 * MIB, 24726 * MIB)


def test_the_fastest_fan_and_the_whole_of_several_memories_count() -> None:
    page = """
node_hwmon_fan_rpm{chip="a",sensor="fan1"} 900
node_hwmon_fan_rpm{chip="a",sensor="fan2"} 1400
node_drm_gpu_busy_percent{card="card0"} 75
node_drm_memory_vram_used_bytes{card="card0"} 10
node_drm_memory_vram_used_bytes{card="card1"} 20
node_drm_memory_vram_size_bytes{card="card0"} 100
node_drm_memory_vram_size_bytes{card="card1"} 200
"""
    assert values(page) == {"fan_rpm": 1400, "utilisation": 0.75, "memory_used_bytes": 30, "memory_total_bytes": 300}


def test_free_memory_alone_does_not_say_how_much_there_is() -> None:
    assert values('DCGM_FI_DEV_FB_FREE{gpu="0"} 5\n') == {}
    assert values('DCGM_FI_DEV_FB_USED{gpu="0"} 5\n') == {"memory_used_bytes": 5 * MIB}


@pytest.mark.parametrize(
    ("reasons", "throttling"),
    [
        *((bit, False) for bit in (0, 0x1, 0x2, 0x4, 0x10, 0x100, 0x1 | 0x4 | 0x10)),
        *((bit, True) for bit in (0x8, 0x20, 0x40, 0x80, 0x4 | 0x40)),
    ],
)
@pytest.mark.parametrize("name", ["DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", "DCGM_FI_DEV_CLOCKS_EVENT_REASONS"])
def test_only_reasons_of_heat_are_throttling(name: str, reasons: int, throttling: bool) -> None:
    assert values(f'{name}{{gpu="0"}} {reasons}') == {"throttling": throttling}


def test_isotherm_tells_one_zone() -> None:
    assert values(ISOTHERM, zone="gpu0") == {
        "celsius": 71,
        "watts": 180,
        "fan_percent": 45,
        "utilisation": 0.9,
        "throttling": True,
    }
    assert joules(ISOTHERM, zone="gpu0") == [1234.5]
    assert values(ISOTHERM, zone="soc") == {"celsius": 55, "throttling": False}


def test_what_another_isotherm_simulates_is_not_taken_for_measured() -> None:
    simulated = ISOTHERM + 'isotherm_zone_modelled{zone="gpu0"} 1\nisotherm_zone_modelled{zone="soc"} 0\n'

    assert values(simulated, zone="gpu0")["modelled"] is True
    assert values(simulated, zone="soc")["modelled"] is False
    assert values(simulated)["modelled"] is True
    assert told('isotherm_zone_modelled{zone="gpu0"} 0\n') == {}


def test_what_isotherm_tells_of_a_zone_it_understands_itself() -> None:
    reading = Reading(
        1.0,
        celsius=82.5,
        watts=120.0,
        joules=5000.0,
        fan_percent=75.0,
        utilisation=0.5,
        throttling=True,
        modelled=True,
    )
    zones = [Zone(name, ThermalState.WARNING, 0.0, TripPoints(), reading=reading) for name in ("gpu", "soc")]
    page = expose(Metrics(), [], zones, "balanced", []).decode()

    assert Reading(1.0, joules=joules(page, zone="gpu")[0], **values(page, zone="gpu")) == reading


def test_node_exporter_tells_a_chip_that_is_meant_and_no_other() -> None:
    assert values(NODE, chip="nvme_nvme0") == {
        "celsius": 48.85,
        "limit_slowdown_celsius": 81.85,
        "limit_shutdown_celsius": 84.85,
    }


def test_the_critical_point_of_a_cpu_is_where_it_slows_down() -> None:
    assert values(NODE, chip="platform_coretemp_0") == {"celsius": 61, "limit_slowdown_celsius": 100}


def test_an_emergency_makes_the_critical_point_the_slowdown() -> None:
    page = """\
node_hwmon_temp_celsius{chip="0000:03:00_0",sensor="edge"} 50
node_hwmon_temp_crit_celsius{chip="0000:03:00_0",sensor="edge"} 100
node_hwmon_temp_emergency_celsius{chip="0000:03:00_0",sensor="edge"} 105
"""
    assert values(page) == {"celsius": 50, "limit_slowdown_celsius": 100, "limit_shutdown_celsius": 105}


def test_a_limit_of_zero_is_none() -> None:
    page = 'node_hwmon_temp_celsius{chip="x"} 50\nnode_hwmon_temp_max_celsius{chip="x"} 0\n'

    assert values(page) == {"celsius": 50}


def test_without_a_selection_the_limits_are_those_of_what_is_hottest() -> None:
    everything = values(NODE)

    assert everything == {"celsius": 61, "fan_rpm": 2100, "watts": 14.5, "limit_slowdown_celsius": 100}


def test_a_kernels_thermal_zone_counts_only_where_no_chip_tells() -> None:
    without = "\n".join(line for line in NODE.splitlines() if not line.startswith("node_hwmon_temp_celsius"))

    assert values(NODE)["celsius"] == 61
    assert values(without)["celsius"] == 99


def test_rapl_is_counted_once_although_it_is_there_twice() -> None:
    assert joules(NODE) == [38354.045387]


def test_a_mean_power_counts_before_that_of_an_instant() -> None:
    page = 'node_hwmon_power_watt{chip="a"} 20\nnode_hwmon_power_average_watt{chip="a"} 18\n'

    assert values(page) == {"watts": 18}


@pytest.mark.parametrize(
    "select", [{"gpu": "7"}, {"GPU": "0"}, {"gpu": "0", "zone": "gpu0"}, {"chip": "platform_coretemp_0"}]
)
def test_what_lacks_a_label_is_not_meant(select: Mapping[str, str]) -> None:
    assert told(DCGM, **select) == {}


def test_a_page_of_several_exporters_is_read_as_one_of_them() -> None:
    page = NODE + DCGM + ISOTHERM

    assert values(page)["celsius"] == 71
    assert values(page, "dcgm")["celsius"] == 72
    assert values(page, "node_exporter")["celsius"] == 61
    assert values(page, gpu="0")["celsius"] == 68, "only one of them has that label"


def test_limits_alone_are_no_measurement() -> None:
    assert told('node_hwmon_temp_crit_celsius{chip="a",sensor="temp1"} 100') == {}


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_unknown(value: str) -> None:
    assert told(f'DCGM_FI_DEV_GPU_TEMP{{gpu="0"}} {value}') == {}


@pytest.mark.parametrize(
    "page", ["", "<html><body>metrics are at /metrics</body></html>", "node_load1 0.2\n", "# HELP x\n"]
)
def test_a_page_that_says_nothing_of_heat_tells_nothing(page: str) -> None:
    assert told(page) == {}


@pytest.mark.parametrize(
    "line", ["DCGM_FI_DEV_GPU_TEMP warm", 'DCGM_FI_DEV_GPU_TEMP{gpu="0" 5', "node_hwmon_temp_celsius{"]
)
def test_a_line_that_is_broken_is_said(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (its words are prometheus_client's)
        samples(line)


@given(st.text(alphabet='DCGM_FI_DEV_GPU_TEMP{gpu="0"} 61.5,\\\n#eN+-\t\x00é') | st.text())
def test_no_page_does_worse_than_a_value_error(text: str) -> None:
    for page in (text, f"DCGM_FI_DEV_GPU_TEMP{text}"):
        try:
            values(page)
        except ValueError:
            """That is said."""


def test_the_battery_is_the_machines_own() -> None:
    assert battery(samples(LAPTOP)) == Battery(97, plugged=False)


def test_one_plug_of_several_is_enough() -> None:
    page = LAPTOP + 'node_power_supply_online{power_supply="ADP1"} 1\n'

    assert battery(samples(page)) == Battery(97, plugged=True)


def test_several_batteries_count_alike() -> None:
    assert battery(samples(LAPTOP + 'node_power_supply_capacity{power_supply="BAT1"} 53\n')) == Battery(
        75, plugged=False
    )


def test_a_laptop_on_the_mains_is_plugged_in() -> None:
    page = LAPTOP.replace('{power_supply="AC"} 0', '{power_supply="AC"} 1')

    assert battery(samples(page)) == Battery(97, plugged=True)


@pytest.mark.parametrize("page", [NODE, LAPTOP.replace("online", "x"), LAPTOP.replace("capacity", "x")])
def test_a_battery_that_is_half_known_is_unknown(page: str) -> None:
    assert battery(samples(page)) is None
