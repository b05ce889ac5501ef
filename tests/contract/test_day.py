"""A day of heat behind the front door: no request goes where it is critical, and no zone flaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from app.domain.thermal import ThermalState
from tests.app.thermal.day import GRAPHICS_CARD, rows
from tests.contract.house import WATTS, House, house
from tests.fakes.sensor import KIND, ScriptedSensor

pytestmark = pytest.mark.anyio

STEP_SECONDS = 5.0
ASK_EVERY_STEPS = 30
DWELL_SECONDS = 10.0

#: The two that the mode prefers live through the same day, the second a minute later: by these many steps. The others
#: heat no zone that is known.
HOT = {"igpu": 0, "nvidia": 12}
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
    diary, day = Diary(), list(_steps())
    thermostat = home.gateway.gateway.thermostat
    states = {name: zone.state for name, zone in thermostat.zones.items()}
    for step in range(len(day)):
        for name, later in HOT.items():
            _measure(home, name, day[step - later], anyway=step % 2 == 0)
        thermostat.look(home.clock())
        before, states = states, {name: zone.state for name, zone in thermostat.zones.items()}
        changed = [name for name in HOT if states[name] is not before[name]]
        for name in changed:
            diary.changes[name].append(home.clock())
        if changed or step % ASK_EVERY_STEPS == 0:
            too_hot = frozenset(name for name in HOT if states[name] in TOO_HOT)
            diary.used[await home.used(), too_hot] += 1
        home.clock.advance(STEP_SECONDS)
    return diary


def _measure(home: House, zone: str, measured: Mapping[str, Any], *, anyway: bool) -> None:
    """What says the same as before need not be said each time, only before it is stale."""
    (poller,) = home.gateway.gateway.thermostat.monitor.watched[zone].pollers
    sensor = poller.sensor
    assert isinstance(sensor, ScriptedSensor)
    if anyway or measured != sensor.says:
        sensor.says = measured
        poller.read()


def _steps() -> Iterator[Mapping[str, Any]]:
    """What was measured last before each step of the day."""
    measured: dict[str, Any] = {}
    ends = 0.0
    for row in rows(GRAPHICS_CARD, seed=2):
        seconds = row["seconds"]
        assert seconds is not None
        while seconds > ends:
            yield measured
            ends += STEP_SECONDS
        measured = {name: row[name] for name in ("celsius", "throttling")}
