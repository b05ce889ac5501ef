"""What the pages of exporters say of heat: names of metrics, what they stand for, and which of them are meant.

Sources: node_exporter, collector/{hwmon,thermal_zone,rapl,powersupplyclass,drm}_linux.go; dcgm-exporter,
etc/default-counters.csv; NVML, nvmlClocksEventReasons.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from app.domain.thermal import Battery

_MEBIBYTE = 1024.0 * 1024.0
_HEAT_REASONS = 0x08 | 0x20 | 0x40 | 0x80  # slowdown by hardware, heat by software and hardware, power brake

Labels = frozenset[tuple[str, str]]
Fields = Mapping[str, Mapping[Labels, float]]


@dataclass(frozen=True, slots=True)
class Metric:
    """The `field` of a reading that it tells, times `scale`; with a `mask`, whether one of those bits is set."""

    field: str
    scale: float = 1.0
    mask: int = 0

    def value(self, raw: float) -> float:
        return float(int(raw) & self.mask != 0) if self.mask else raw * self.scale


#: By exporter, the one that is looked for first at the top; of a field's metrics the first that is there counts.
EXPORTERS: Mapping[str, Mapping[str, Metric]] = {
    "isotherm": {
        "isotherm_zone_temperature_celsius": Metric("celsius"),
        "isotherm_zone_power_watts": Metric("watts"),
        "isotherm_zone_energy_joules_total": Metric("joules"),
        "isotherm_zone_fan_ratio": Metric("fan_percent", 100),
        "isotherm_zone_utilisation_ratio": Metric("utilisation"),
        "isotherm_zone_throttling": Metric("throttling", mask=1),
        "isotherm_zone_modelled": Metric("modelled", mask=1),
    },
    "dcgm": {
        "DCGM_FI_DEV_GPU_TEMP": Metric("celsius"),
        "DCGM_FI_DEV_POWER_USAGE": Metric("watts"),
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": Metric("joules", 0.001),
        "DCGM_FI_DEV_FAN_SPEED": Metric("fan_percent"),
        "DCGM_FI_DEV_GPU_UTIL": Metric("utilisation", 0.01),
        "DCGM_FI_DEV_SM_CLOCK": Metric("megahertz"),
        "DCGM_FI_DEV_FB_USED": Metric("memory_used_bytes", _MEBIBYTE),
        "DCGM_FI_DEV_FB_FREE": Metric("memory_free_bytes", _MEBIBYTE),
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": Metric("throttling", mask=_HEAT_REASONS),
        "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": Metric("throttling", mask=_HEAT_REASONS),
        "DCGM_FI_DEV_SLOWDOWN_TEMP": Metric("limit_slowdown_celsius"),
        "DCGM_FI_DEV_SHUTDOWN_TEMP": Metric("limit_shutdown_celsius"),
    },
    "node_exporter": {
        "node_hwmon_temp_celsius": Metric("celsius"),
        "node_thermal_zone_temp": Metric("celsius"),
        "node_hwmon_power_average_watt": Metric("watts"),
        "node_hwmon_power_watt": Metric("watts"),
        "node_rapl_package_joules_total": Metric("joules"),
        "node_hwmon_energy_joule_total": Metric("joules"),
        "node_hwmon_fan_rpm": Metric("fan_rpm"),
        "node_drm_gpu_busy_percent": Metric("utilisation", 0.01),
        "node_drm_memory_vram_used_bytes": Metric("memory_used_bytes"),
        "node_drm_memory_vram_size_bytes": Metric("memory_total_bytes"),
        "node_hwmon_temp_max_celsius": Metric("max"),
        "node_hwmon_temp_crit_celsius": Metric("crit"),
        "node_hwmon_temp_emergency_celsius": Metric("emergency"),
    },
}

_BATTERY = ("node_power_supply_capacity", "node_power_supply_online", "node_power_supply_info")
_CHIPS = "node_hwmon_chip_names"
_KNOWN = (*(name for metrics in EXPORTERS.values() for name in metrics), *_BATTERY, _CHIPS)

#: Chips whose `crit` is where they slow down, not where they turn off.
_SLOW_AT_CRIT = {"coretemp", "k10temp", "zenpower"}

#: What says something only about another field.
_REMARKS = {"max", "crit", "emergency", "limit_slowdown_celsius", "limit_shutdown_celsius", "modelled"}

#: How the values of several series become one, and its type.
_TOGETHER: Mapping[str, tuple[Callable[[Iterable[float]], float], type]] = {
    "celsius": (max, float),
    "watts": (sum, float),
    "fan_percent": (max, float),
    "fan_rpm": (max, float),
    "utilisation": (max, float),
    "megahertz": (max, float),
    "memory_used_bytes": (sum, int),
    "memory_free_bytes": (sum, int),
    "memory_total_bytes": (sum, int),
    "throttling": (max, bool),
    "modelled": (max, bool),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page."""

    name: str
    labels: Mapping[str, str]
    value: float

    @property
    def series(self) -> Labels:
        return frozenset(self.labels.items())


def samples(page: str) -> list[Sample]:
    """The lines that mean something here; only those are parsed, of the hundreds that there are. Raises ValueError."""
    lines = "".join(f"{line}\n" for line in page.split("\n") if line.startswith(_KNOWN))
    return [
        Sample(sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(lines)
        for sample in family.samples
        if math.isfinite(sample.value)
    ]


def chosen(found: Iterable[Sample], select: Mapping[str, str]) -> list[Sample]:
    """Those that have all the labels. RAPL's second way to the same counter (over MMIO) is not counted twice."""
    return [
        sample
        for sample in found
        if all(sample.labels.get(label) == value for label, value in select.items())
        and "mmio" not in sample.labels.get("path", "")
    ]


def cpus(found: Iterable[Sample]) -> frozenset[str]:
    """What node_exporter calls the chips that measure a CPU."""
    chips = (sample.labels for sample in found if sample.name == _CHIPS)
    return frozenset(
        labels["chip"] for labels in chips if labels.get("chip_name") in _SLOW_AT_CRIT and "chip" in labels
    )


def fields(found: Iterable[Sample], exporter: str) -> Fields:
    """Each field's values by series. `auto` is the first exporter that any of the samples can come from."""
    by_name: defaultdict[str, dict[Labels, float]] = defaultdict(dict)
    for sample in found:
        by_name[sample.name][sample.series] = sample.value
    for metrics in EXPORTERS.values() if exporter == "auto" else (EXPORTERS[exporter],):
        told: dict[str, dict[Labels, float]] = {}
        for name, metric in metrics.items():
            if name in by_name:
                values = {series: metric.value(value) for series, value in by_name[name].items()}
                told.setdefault(metric.field, values)
        if told.keys() - _REMARKS:
            return told
    return {}


def together(told: Fields, slow_at_crit: Container[str] = ()) -> dict[str, Any]:
    """Fields of a reading, but for joules, which have to be counted by series.

    The limits are those of what is hottest, where it has any: another chip's say nothing about it.
    """
    hot = told.get("celsius", {})
    values = {field: kind(reduce(told[field].values())) for field, (reduce, kind) in _TOGETHER.items() if field in told}
    free, used = values.pop("memory_free_bytes", None), values.get("memory_used_bytes")
    if free is not None and used is not None:
        values.setdefault("memory_total_bytes", used + free)
    return {**values, **_limits(told, max(hot, key=lambda series: hot[series]), slow_at_crit)} if hot else values


def _limits(told: Fields, series: Labels, slow_at_crit: Container[str]) -> dict[str, float | None]:
    """Where there is an `emergency`, `crit` is where it slows down. Zero is a driver's word for none."""
    most, crit, emergency, slowdown, shutdown = (
        told.get(name, {}).get(series) or None
        for name in ("max", "crit", "emergency", "limit_slowdown_celsius", "limit_shutdown_celsius")
    )
    if emergency is not None or dict(series).get("chip") in slow_at_crit:
        most, crit = crit or most, emergency
    return {"limit_slowdown_celsius": slowdown or most, "limit_shutdown_celsius": shutdown or crit}


def battery(found: Iterable[Sample]) -> Battery | None:
    """That of the machine behind node_exporter: mice and headsets (scope `Device`) do not count."""
    by_name: defaultdict[str, dict[str, Sample]] = defaultdict(dict)
    for sample in found:
        by_name[sample.name][sample.labels.get("power_supply", "")] = sample
    capacities, online, infos = (by_name[name] for name in _BATTERY)
    foreign = {name for name, info in infos.items() if info.labels.get("scope") == "Device"}
    percents = [sample.value for name, sample in capacities.items() if name not in foreign]
    plugs = [sample.value > 0 for name, sample in online.items() if name not in foreign]
    return Battery(sum(percents) / len(percents), any(plugs)) if percents and plugs else None
