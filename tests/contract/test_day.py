"""A day of heat behind the front door: no request goes where it is critical, and no zone flaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from app.domain.thermal import ThermalState
from tests.app.thermal.day import GRAPHICS_CARD, SECONDS, Row, rows
from tests.contract.house import WATTS, House, house
from tests.fakes.sensor import KIND, ScriptedSensor

pytestmark = pytest.mark.anyio

STEP_SECONDS = 2.0
ASK_EVERY_STEPS = 12
DWELL_SECONDS = 10.0

#: The two that the mode prefers get hot, each on a day of its own (a seed); the others heat no zone that is known.
HOT = {"igpu": 1, "nvidia": 2}
TOO_HOT = (ThermalState.CRITICAL, ThermalState.SHUTDOWN)


@dataclass
class Diary:
    """Who was used while which zones were too hot, and when each zone's state changed."""

    used: Counter[tuple[str, frozenset[str]]] = field(default_factory=Counter)
    changes: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in HOT})


async def test_a_day_of_heat_sends_no_request_to_a_critical_zone_and_lets_none_flap() -> None:
    zones = [{"id": name, "sensor": {"kind": KIND}} for name in HOT]
    async with house(WATTS, zones=zones) as home:
        diary = await _live_through(home)

    assert {used for used, _ in diary.used} == {"igpu", "nvidia", "npu"}
    assert {too_hot for _, too_hot in diary.used} == {
        frozenset(), frozenset({"igpu"}), frozenset({"nvidia"}), frozenset(HOT)
    }  # fmt: skip
    assert not [used for used, too_hot in diary.used if used in too_hot]
    for changes in diary.changes.values():
        assert len(changes) > 50
        assert min(after - before for before, after in pairwise(changes)) >= DWELL_SECONDS


async def _live_through(home: House) -> Diary:
    diary = Diary()
    thermostat = home.gateway.gateway.thermostat
    days = {_sensor(home, name): _every_step(rows(GRAPHICS_CARD, seed)) for name, seed in HOT.items()}
    states = {name: zone.state for name, zone in thermostat.zones.items()}
    for step in range(int(SECONDS / STEP_SECONDS)):
        for sensor, day in days.items():
            sensor.says = next(day)
        home.tick()
        before, states = states, {name: zone.state for name, zone in thermostat.zones.items()}
        changed = [name for name in HOT if states[name] is not before[name]]
        for name in changed:
            diary.changes[name].append(home.clock())
        if changed or step % ASK_EVERY_STEPS == 0:
            too_hot = frozenset(name for name in HOT if states[name] in TOO_HOT)
            diary.used[await home.used(), too_hot] += 1
        home.clock.advance(STEP_SECONDS)
    return diary


def _sensor(home: House, zone: str) -> ScriptedSensor:
    (poller,) = home.gateway.gateway.thermostat.monitor.watched[zone].pollers
    assert isinstance(poller.sensor, ScriptedSensor)
    return poller.sensor


def _every_step(day: Iterator[Row]) -> Iterator[Mapping[str, Any]]:
    """What was measured last before each step."""
    measured: dict[str, Any] = {}
    step = 0.0
    for row in day:
        seconds = row.pop("seconds")
        assert seconds is not None
        while seconds > step:
            yield measured
            step += STEP_SECONDS
        measured = dict(row)
    while True:
        yield measured
