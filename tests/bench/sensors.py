"""What it costs to know how hot it is: of a request, and of a core.

    python -m tests.bench.sensors

The limits are those of the project: under 1 us for a request to read the state, under 1 % of a core to poll 32 sensors.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
import timeit
from collections.abc import Iterator
from pathlib import Path

from app.domain.thermal import FanPoints, TripPoints
from app.thermal.monitor import Monitor
from app.thermal.poller import Poller
from app.thermal.reader import Reader
from app.thermal.sensor import Surroundings
from app.thermal.sensors.hwmon import HwmonSensor, HwmonSettings
from app.thermal.watched import WatchedZone, ZonePlan
from app.thermostat import TICK_SECONDS
from tests.config.proofs.proof import gateway, scripted

SENSORS = 32
SECONDS = 10
LIMIT_MICROSECONDS = 1.0
LIMIT_PERCENT = 1.0


def state_microseconds() -> float:
    """What a request spends on the zone of a candidate and the conditions of the moment, over the loop around it."""
    made, _ = gateway(
        zones=[{"id": "gpu", "sensor": {"kind": "simulated", "celsius": 40}}], backends=[scripted(zone="gpu")]
    )
    thermostat, zone = made.thermostat, "gpu"

    def read() -> None:
        thermostat.zones.get(zone)
        thermostat.conditions  # noqa: B018

    rounds = 200_000
    empty = min(timeit.repeat(lambda: None, number=rounds, repeat=5))
    return (min(timeit.repeat(read, number=rounds, repeat=5)) - empty) / rounds * 1e6


def polling_percent(root: Path, *, warm: bool) -> float:
    """Share of a core that so many real hwmon sensors take, with all zones looked at as the gateway does."""
    celsius = 72_000 if warm else 45_000
    for index in range(SENSORS):
        chip = root / "class" / "hwmon" / f"hwmon{index}"
        chip.mkdir(parents=True, exist_ok=True)
        files = {"name": f"chip{index}", "temp1_input": celsius, "temp1_crit": 105_000, "fan1_input": 1200, "pwm1": 90}
        for name, value in {**files, "power1_average": 9_000_000}.items():
            (chip / name).write_text(f"{value}\n")
    monitor = Monitor([_zone(root, index) for index in range(SENSORS)], lambda _: False)
    return asyncio.run(_measured(monitor))


def _zone(root: Path, index: int) -> WatchedZone:
    settings = HwmonSettings(chip=f"chip{index}", root=root)
    poller = Poller(HwmonSensor(settings, Surroundings(f"zone{index}")), settings, time.monotonic)
    return WatchedZone(ZonePlan(f"zone{index}", TripPoints(), FanPoints()), [poller], time.monotonic())


async def _measured(monitor: Monitor) -> float:
    with _polled(monitor) as reader:
        await _look(monitor, reader, 2)  # past the first readings, which open every file
        cpu, wall = time.process_time(), time.monotonic()
        await _look(monitor, reader, SECONDS)
        return (time.process_time() - cpu) / (time.monotonic() - wall) * 100


async def _look(monitor: Monitor, reader: Reader, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        reader.look()
        monitor.look(time.monotonic())
        await asyncio.sleep(TICK_SECONDS)


@contextlib.contextmanager
def _polled(monitor: Monitor) -> Iterator[Reader]:
    reader = Reader()
    for zone in monitor.watched.values():
        reader.add(zone.pollers[0])
    try:
        yield reader
    finally:
        reader.stop()


def main() -> None:
    spent = state_microseconds()
    _tell("reading the state, a request", spent, LIMIT_MICROSECONDS, "us")
    with tempfile.TemporaryDirectory() as root:
        _tell(f"polling {SENSORS} idle sensors", polling_percent(Path(root), warm=False), LIMIT_PERCENT, "% of a core")
    with tempfile.TemporaryDirectory() as root:
        _tell(f"polling {SENSORS} warm sensors", polling_percent(Path(root), warm=True), LIMIT_PERCENT, "% of a core")


def _tell(what: str, value: float, limit: float, unit: str) -> None:
    print(f"{what:32} {value:7.3f} {unit:12} limit {limit:g}: {'met' if value < limit else 'MISSED'}")  # noqa: T201


if __name__ == "__main__":
    main()
