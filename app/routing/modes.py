"""The efficiency modes as they are unless configured otherwise, and which of them `auto` stands for now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time

from app.domain.backend import Hardware
from app.domain.job import Workload
from app.domain.mode import Mode
from app.domain.thermal import Battery

#: The mode that is derived anew whenever something changes.
AUTO = "auto"

_NVIDIA, _IGPU, _NPU, _CPU, _CLOUD = Hardware.NVIDIA, Hardware.IGPU, Hardware.NPU, Hardware.CPU, Hardware.CLOUD

#: Another machine's hardware draws no watt here, but costs money: where all hardware may be used it comes last.
MODES: Mapping[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("performance", (_NVIDIA, _IGPU, _NPU, _CPU, _CLOUD), None, 100, 90),
        Mode("balanced", (_IGPU, _NVIDIA, _NPU, _CPU, _CLOUD), 60, 80, 85),
        Mode("efficiency", (_NPU, _IGPU, _NVIDIA), 15, 60, 75),
        Mode("quiet", (_NPU, _IGPU), 15, 40, 70),
        Mode("ultra-efficiency", (_NPU,), 5, 30, 65),
    )
}

#: Which hardware is good at what; any will do for text, and what is real-time goes by its own order.
WORKLOADS: Mapping[Workload, frozenset[Hardware]] = {
    Workload.AUDIO: frozenset({_NPU}),
    Workload.CODE: frozenset({_NVIDIA}),
    Workload.IMAGE: frozenset({_NVIDIA}),
}


@dataclass(frozen=True, slots=True)
class AutoRules:
    """The thresholds of `auto`. A mode that was chosen for one of them is left that much later: hysteresis.

    Quiet hours are local time and may span midnight; None is none.
    """

    battery_low_percent: float = 20
    battery_half_percent: float = 50
    quiet_from: time | None = time(22)
    quiet_until: time | None = time(6)
    hot_celsius: float = 75
    loud_fan_percent: float = 70
    hysteresis_battery_percent: float = 2
    hysteresis_celsius: float = 5
    hysteresis_fan_percent: float = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What `auto` goes by: the hottest zone and the loudest fan with the id of its zone, None where unknown."""

    time_of_day: time
    battery: Battery | None = None
    hottest: tuple[str, float] | None = None
    loudest: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The mode that was derived, `why` in words as it was then, and for which `cause`."""

    mode: str
    why: str
    cause: str


def derive(facts: Facts, previous: Choice | None = None, rules: AutoRules = AutoRules()) -> Choice:
    """The mode of the first cause that holds; the previous choice itself while its cause goes on."""
    for cause, mode, asks in _CAUSES:
        held = previous is not None and previous.cause == cause
        why = asks(facts, rules, held)
        if why is not None:
            return previous if previous is not None and held else Choice(mode, why, cause)
    raise AssertionError("the last cause always holds")


def _battery_low(facts: Facts, rules: AutoRules, held: bool) -> str | None:
    return _battery_under(facts, rules.battery_low_percent, rules.hysteresis_battery_percent if held else 0)


def _battery_half(facts: Facts, rules: AutoRules, held: bool) -> str | None:
    return _battery_under(facts, rules.battery_half_percent, rules.hysteresis_battery_percent if held else 0)


def _battery_under(facts: Facts, limit: float, slack: float) -> str | None:
    battery = facts.battery
    if battery is None or battery.plugged or battery.percent >= limit + slack:
        return None
    return f"on battery at {battery.percent:.0f} %, under {limit:g}"


def _quiet_hours(facts: Facts, rules: AutoRules, held: bool) -> str | None:  # noqa: ARG001 (all causes are asked alike)
    start, end, now = rules.quiet_from, rules.quiet_until, facts.time_of_day
    if start is None or end is None:
        return None
    quiet = start <= now < end if start <= end else now >= start or now < end
    return f"quiet hours, {start:%H:%M} to {end:%H:%M}" if quiet else None


def _hot(facts: Facts, rules: AutoRules, held: bool) -> str | None:
    slack = rules.hysteresis_celsius if held else 0
    if facts.hottest is None or facts.hottest[1] <= rules.hot_celsius - slack:
        return None
    return f"zone '{facts.hottest[0]}' reached {facts.hottest[1]:.1f} °C, over {rules.hot_celsius:g}"


def _loud(facts: Facts, rules: AutoRules, held: bool) -> str | None:
    slack = rules.hysteresis_fan_percent if held else 0
    if facts.loudest is None or facts.loudest[1] <= rules.loud_fan_percent - slack:
        return None
    return f"the fan of zone '{facts.loudest[0]}' reached {facts.loudest[1]:.0f} %, over {rules.loud_fan_percent:g}"


def _on_battery(facts: Facts, rules: AutoRules, held: bool) -> str | None:  # noqa: ARG001
    return "on battery" if facts.battery is not None and not facts.battery.plugged else None


def _nothing(facts: Facts, rules: AutoRules, held: bool) -> str | None:  # noqa: ARG001
    return "nothing asks for less"


#: In order: cause, mode, and whether it holds, told as the reason; `held` says that it did before.
_CAUSES: tuple[tuple[str, str, Callable[[Facts, AutoRules, bool], str | None]], ...] = (
    ("battery-low", "ultra-efficiency", _battery_low),
    ("battery-half", "efficiency", _battery_half),
    ("quiet-hours", "quiet", _quiet_hours),
    ("hot", "efficiency", _hot),
    ("loud", "quiet", _loud),
    ("on-battery", "balanced", _on_battery),
    ("nothing", "performance", _nothing),
)
