"""What goes on beside the requests: zones, the mode, the pace of warm backends, energy."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.backend import Hardware
from app.domain.decision import Decision, Route
from app.domain.job import Workload
from app.domain.thermal import Battery, FanPoints, TripPoints
from app.relay.handoff import Mover
from app.relay.landing import Landing
from app.relay.watch import Watchman
from app.routing.modes import AUTO, MODES, WORKLOADS, AutoRules
from app.telemetry.energy import MEASURED, Energy, Meter, Share
from app.telemetry.ledger import Ledger
from app.telemetry.metrics import Metrics
from app.thermal.monitor import Monitor
from app.thermal.poller import Poller
from app.thermal.reader import Reader
from app.thermal.sensor import SensorLostError, Surroundings
from app.thermal.sensors.simulated import SimulatedSensor, SimulatedSettings
from app.thermal.watched import WatchedZone, ZonePlan
from app.thermostat import Regime, Thermostat, carried_over
from tests.app.builders import lane
from tests.fakes.clock import FakeClock
from tests.fakes.sensor import ScriptedSensor, sensor

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 7, 14, 12, 0)  # noqa: DTZ001 (local time, as the modes have it)


def regime(mode: str = "balanced", **facts: Any) -> Regime:
    return Regime(**{"mode": mode, "modes": MODES, "auto": AutoRules(), "workloads": WORKLOADS, **facts})


class RunningMover(Mover):
    """Knows of the answers that it is said to."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Watchman(15, clock), Metrics(), Landing(clock, Metrics(), {}, Ledger()))
        self.carried: list[tuple[Route, Decision]] = []

    def running(self) -> list[tuple[Route, Decision]]:
        return self.carried


class House:
    """A thermostat over zones soc and gpu, with the backends that a test names."""

    def __init__(self, told: Regime | None = None, **backends: dict[str, Any]) -> None:
        self.clock = FakeClock()
        self.now = NOON
        self.sensors: dict[str, ScriptedSensor] = {name: sensor() for name in ("soc", "gpu")}
        self.pollers = {name: Poller(each, each.settings, self.clock) for name, each in self.sensors.items()}
        watched = [
            WatchedZone(ZonePlan(name, TripPoints(), FanPoints(), dwell_seconds=0), [poller], self.clock())
            for name, poller in self.pollers.items()
        ]
        self.lanes = {name: lane(name, self.clock, **settings)[0] for name, settings in backends.items()}
        self.mover = RunningMover(self.clock)
        self.meters = {"soc": Meter(), "gpu": Meter(), "backend cloud": Meter()}
        self.thermostat = Thermostat(
            told or regime(), Monitor(watched, lambda _: False), self.lanes, self.mover, self.meters, self.clock,
            lambda: self.now,
        )  # fmt: skip

    def look(self, after: float = 0.25, **says: Any) -> None:
        self.clock.advance(after)
        for name, said in says.items():
            self.sensors[name].says = said
            self.pollers[name].read()
        self.thermostat.look(self.clock())

    @property
    def mode(self) -> str:
        return self.thermostat.conditions.mode.name


def changes(caplog: pytest.LogCaptureFixture) -> list[str]:
    told = [record.getMessage() for record in caplog.records if record.name == "app.thermostat"]
    caplog.clear()
    return told


async def test_the_configured_mode_is_in_force_because_it_was_chosen() -> None:
    conditions = House(regime("quiet", relax=False)).thermostat.conditions

    assert (conditions.mode, conditions.why) == (MODES["quiet"], "it was chosen")
    assert (conditions.quick, conditions.frugal) == (MODES["performance"], MODES["efficiency"])
    assert conditions.workloads == WORKLOADS
    assert (conditions.watts_left, conditions.relax) == (None, False)


async def test_other_workloads_are_those_of_the_regime() -> None:
    workloads = {Workload.CODE: frozenset({Hardware.NPU})}

    assert House(regime(workloads=workloads)).thermostat.conditions.workloads == workloads


async def test_a_person_chooses_another_mode_and_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    house = House()
    house.thermostat.choose("quiet")
    house.look()

    assert (house.thermostat.mode, house.mode) == ("quiet", "quiet")
    assert changes(caplog) == ["mode balanced -> quiet: it was chosen"]


async def test_auto_is_told_once_for_each_change_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    house = House(regime(AUTO))
    assert house.mode == "performance"

    for celsius in (60, 76, 77, 78, 72):
        house.look(gpu={"celsius": float(celsius)})
    assert house.mode == "efficiency"
    assert changes(caplog) == ["mode performance -> efficiency: zone 'gpu' reached 76.0 °C, over 75"]

    for _ in range(5):
        house.look(gpu={"celsius": 69.0})
    assert house.mode == "performance"
    assert changes(caplog) == ["mode efficiency -> performance: nothing asks for less"]


async def test_a_mode_that_goes_on_has_the_reason_of_its_beginning_and_makes_nothing_new() -> None:
    house = House(regime(AUTO))
    house.look(gpu={"celsius": 76.0})
    before = house.thermostat.conditions

    house.look(gpu={"celsius": 79.0})

    assert house.thermostat.conditions is before


async def test_auto_goes_by_the_hottest_zone_and_the_loudest_fan() -> None:
    house = House(regime(AUTO))
    house.look(soc={"celsius": 50.0}, gpu={"celsius": 80.0})
    assert house.thermostat.conditions.why == "zone 'gpu' reached 80.0 °C, over 75"

    house.look(soc={"celsius": 50.0, "fan_percent": 90.0}, gpu={"celsius": 50.0, "fan_percent": 20.0})
    assert (house.mode, house.thermostat.conditions.why) == ("quiet", "the fan of zone 'soc' reached 90 %, over 70")


async def test_auto_goes_by_local_time() -> None:
    house = House(regime(AUTO))
    house.now = NOON + timedelta(hours=10)
    house.look()
    assert house.mode == "quiet"

    house.now = NOON + timedelta(hours=18)
    house.look()
    assert house.mode == "performance"


async def test_auto_goes_by_the_battery_of_any_zone() -> None:
    house = House(regime(AUTO))
    house.look(soc={"celsius": 40.0}, gpu={"battery": Battery(15.0, plugged=False)})
    assert house.mode == "ultra-efficiency"

    house.look(gpu={"battery": Battery(15.0, plugged=True)})
    assert house.mode == "performance"


async def test_what_is_not_known_any_more_counts_for_nothing() -> None:
    house = House(regime(AUTO))
    house.look(gpu={"celsius": 80.0})
    house.look(after=16)

    assert house.mode == "performance"


async def test_a_person_may_choose_auto() -> None:
    house = House(regime("quiet"))
    house.thermostat.choose(AUTO)

    assert (house.thermostat.mode, house.mode) == (AUTO, "performance")


async def test_a_chosen_mode_outlives_every_reload_that_does_not_configure_another() -> None:
    house = House(regime("balanced"))
    assert carried_over(regime("balanced"), house.thermostat) == "balanced"

    house.thermostat.choose("quiet")
    assert carried_over(regime("balanced"), house.thermostat) == "quiet"
    assert carried_over(regime("efficiency"), house.thermostat) == "efficiency"


async def test_one_that_was_carried_over_is_in_force_from_the_start() -> None:
    old = House(regime("balanced"))
    old.thermostat.choose("quiet")
    new = Thermostat(
        regime("balanced"), old.thermostat.monitor, old.lanes, old.mover, old.meters, old.clock, mode="quiet"
    )

    assert (new.mode, new.conditions.mode.name) == ("quiet", "quiet")
    assert carried_over(regime("balanced"), new) == "quiet"


async def test_watts_are_those_of_all_zones() -> None:
    house = House()
    house.look(soc={"watts": 12.5}, gpu={"watts": 100.0})

    assert house.thermostat.watts() == 112.5


async def test_where_a_zone_is_not_measured_the_nameplates_of_what_works_there_count() -> None:
    house = House(
        eco={"zone": "soc", "watts": 9}, max={"zone": "gpu", "watts": 200}, other={"zone": "gpu", "watts": 50}
    )
    house.look(soc={"watts": 12.5}, gpu={"celsius": 50.0})
    assert house.thermostat.watts() == 12.5

    await house.lanes["eco"].enter()
    await house.lanes["max"].enter()
    assert house.thermostat.watts() == 12.5 + 200


async def test_a_busy_backend_in_no_zone_counts_by_its_nameplate() -> None:
    house = House(box={"watts": 30})
    await house.lanes["box"].enter()

    assert house.thermostat.watts() == 30


async def test_nobody_knows_the_watts_while_something_works_unmeasured_and_without_a_nameplate() -> None:
    house = House(eco={"zone": "soc"}, max={"zone": "gpu", "watts": 200})
    assert house.thermostat.watts() == 0.0

    await house.lanes["eco"].enter()
    assert house.thermostat.watts() is None
    house.look(soc={"watts": 12.5})
    assert house.thermostat.watts() == 12.5


async def test_a_cloud_draws_its_watts_elsewhere() -> None:
    house = House(cloud={"hardware": "cloud"}, eco={"zone": "soc", "watts": 9})
    await house.lanes["cloud"].enter()
    await house.lanes["eco"].enter()

    assert house.thermostat.watts() == 9


async def test_the_budget_is_what_is_left_of_it_and_may_be_overdrawn() -> None:
    house = House(regime(max_watts=100))
    assert house.thermostat.conditions.watts_left == 100

    house.look(soc={"watts": 30.0})
    assert house.thermostat.conditions.watts_left == 70
    house.look(gpu={"watts": 200.0})
    assert house.thermostat.conditions.watts_left == -130


async def test_what_is_left_of_a_budget_is_no_news_of_the_mode(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    house = House(regime(max_watts=100))
    house.look(soc={"watts": 30.0})

    assert changes(caplog) == []


async def test_where_nobody_knows_what_is_drawn_nobody_knows_what_is_left() -> None:
    house = House(regime(max_watts=100), eco={"zone": "soc"})
    await house.lanes["eco"].enter()
    house.look()

    assert house.thermostat.conditions.watts_left is None


async def test_a_warm_backend_is_slowed_by_its_zone_and_to_the_regimes_least() -> None:
    house = House(regime(least_duty=0.25), max={"zone": "gpu"})
    box = house.lanes["max"]
    route = Route(box.candidate("small", box.models["small"], 0), (), 0.0)
    house.mover.carried = [(route, Decision((route,)))]
    house.look(gpu={"celsius": 77.5})
    assert box.duty == 0.5
    house.look(gpu={"celsius": 90.0})
    assert box.duty == 0.25

    house.mover.carried = []
    house.look()
    assert box.duty == 1.0


async def test_what_the_sensors_say_is_metered() -> None:
    house = House()
    house.look(gpu={"joules": 0.0})
    settled: list[Energy] = []
    share = Share("max", None, settled.append)
    house.meters["gpu"].begin(share, house.clock())
    house.clock.advance(4)
    house.meters["gpu"].end(share, house.clock())
    house.look(after=0, gpu={"joules": 80.0})

    assert [(energy.source, energy.joules) for energy in settled] == [(MEASURED, 80.0)]


async def test_a_sensor_that_is_lost_or_belongs_to_no_zone_meters_nothing() -> None:
    house = House()
    settled: list[Energy] = []
    house.look(gpu={"joules": 0.0})
    for name in ("gpu", "backend cloud"):
        share = Share("max", 10.0, settled.append)
        house.meters[name].begin(share, house.clock())
        house.look(after=16, gpu=SensorLostError("gone"))
        house.meters[name].end(share, house.clock())

    assert [(energy.source, energy.joules) for energy in settled] == [("estimated", 160.0), ("estimated", 160.0)]


async def test_two_sensors_of_a_zone_are_never_mixed_in_one_answer() -> None:
    """A counter that is lost for a while, and power that stands in for it: each is a row of its own."""
    house = House()
    other = sensor()
    poller = Poller(other, other.settings, house.clock)
    watched = house.thermostat.monitor.watched["gpu"]
    watched.pollers = (*watched.pollers, poller)
    watched.lost = (None, None)
    other.says = {"joules": 9_000_000.0}
    house.look(gpu={"joules": 100.0})
    settled: list[Energy] = []
    share = Share("max", 10.0, settled.append)
    house.meters["gpu"].begin(share, house.clock())
    house.clock.advance(16)
    poller.read()
    house.look(after=0, gpu=SensorLostError("gone"))
    house.meters["gpu"].end(share, house.clock())

    assert [(energy.source, energy.joules) for energy in settled] == [("estimated", 160.0)]


async def test_a_simulated_zone_that_is_set_changes_the_mode_at_once() -> None:
    clock, settings = FakeClock(), SimulatedSettings(celsius=40)
    poller = Poller(SimulatedSensor(settings, Surroundings("soc")), settings, clock)
    watched = WatchedZone(ZonePlan("soc", TripPoints(), FanPoints()), [poller], clock())
    monitor = Monitor([watched], lambda _: False)
    thermostat = Thermostat(regime(AUTO), monitor, {}, RunningMover(clock), {}, clock, lambda: NOON)

    thermostat.hold("soc", {"celsius": 91.0})

    assert thermostat.zones["soc"].celsius == 91.0
    assert thermostat.conditions.mode.name == "efficiency"


async def test_a_tick_does_not_wait_for_a_sensor_that_hangs() -> None:
    house = House()
    house.sensors["gpu"].gate.clear()
    reader = Reader()
    reader.add(house.pollers["gpu"])
    house.sensors["gpu"].until_begun(1)
    began = time.monotonic()
    for _ in range(100):
        house.look(soc={"celsius": 40.0})

    assert house.thermostat.zones["soc"].celsius == 40.0
    assert time.monotonic() - began < 5
    reader.stop()
    house.sensors["gpu"].gate.set()
