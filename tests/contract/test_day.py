"""A day of heat behind the front door: no request goes where it is critical, and no zone flaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from app.domain.thermal import ThermalState
from tests.app.thermal.day import GRAPHICS_CARD, SECONDS, SYSTEM_ON_A_CHIP, Machine, Row, rows
from tests.contract.house import House, house
from tests.fakes.sensor import KIND, ScriptedSensor

pytestmark = pytest.mark.anyio

STEP_SECONDS = 2.0
ASK_EVERY_STEPS = 60
DWELL_SECONDS = 10.0

#: A machine and a seed for each zone: those that the mode prefers get hot, those that stand in stay cooler.
ZONES: Mapping[str, tuple[Machine, int]] = {
    "igpu": (GRAPHICS_CARD, 1),
    "nvidia": (GRAPHICS_CARD, 2),
    "npu": (SYSTEM_ON_A_CHIP, 3),
    "cpu": (SYSTEM_ON_A_CHIP, 4),
}
TOO_HOT = (ThermalState.CRITICAL, ThermalState.SHUTDOWN)


@dataclass
class Diary:
    """What happened on that day: who was used how often, and when each zone's state changed to what."""

    used: Counter[str] = field(default_factory=Counter)
    kept_away: int = 0
    changes: dict[str, list[tuple[float, ThermalState]]] = field(default_factory=dict)


async def test_a_day_of_heat_sends_no_request_to_a_critical_zone_and_lets_none_flap() -> None:
    told = [{"id": name, "sensor": {"kind": KIND}} for name in ZONES]
    async with house(dict.fromkeys(ZONES, 12), zones=told) as home:
        diary = await _live_through(home)

    assert diary.used.keys() >= {"igpu", "nvidia", "npu"}
    assert diary.kept_away > 20
    for zone, changes in diary.changes.items():
        for (before, _), (after, state) in pairwise(changes):
            assert after - before >= DWELL_SECONDS, (zone, after, state)


async def _live_through(home: House) -> Diary:
    diary = Diary(changes={name: [] for name in ZONES})
    days = {name: _each_step(rows(*of)) for name, of in ZONES.items()}
    sensors = {name: _sensor(home, name) for name in ZONES}
    states = dict.fromkeys(ZONES, ThermalState.NOMINAL)
    start = home.clock()
    for step in range(int(SECONDS / STEP_SECONDS)):
        for name, sensor in sensors.items():
            sensor.says = next(days[name])
        home.clock.now = start + step * STEP_SECONDS
        home.tick()
        now = {name: zone.state for name, zone in home.gateway.gateway.thermostat.zones.items()}
        changed = [name for name in ZONES if now[name] is not states[name]]
        for name in changed:
            diary.changes[name].append((step * STEP_SECONDS, now[name]))
        states = now
        if changed or step % ASK_EVERY_STEPS == 0:
            await _ask(home, states, diary)
    return diary


def _sensor(home: House, zone: str) -> ScriptedSensor:
    (poller,) = home.gateway.gateway.thermostat.monitor.watched[zone].pollers
    assert isinstance(poller.sensor, ScriptedSensor)
    return poller.sensor


def _each_step(day: Iterator[Row]) -> Iterator[dict[str, Any]]:
    """What holds at each step: the row before it."""
    held: dict[str, Any] = {}
    ends = 0.0
    for row in day:
        while row["seconds"] is not None and row["seconds"] > ends:
            yield held
            ends += STEP_SECONDS
        held = {name: value for name, value in row.items() if name != "seconds"}
    while True:
        yield held


async def _ask(home: House, states: Mapping[str, ThermalState], diary: Diary) -> None:
    used = await home.used()
    too_hot = {name for name, state in states.items() if state in TOO_HOT}
    assert used not in too_hot or len(too_hot) == len(states)
    diary.used[used] += 1
    diary.kept_away += "igpu" in too_hot
