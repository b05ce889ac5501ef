"""What the configuration says of heat: sensors, zones and the regime of modes."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from app.domain.backend import Hardware
from app.domain.errors import ConfigurationError
from app.domain.job import Workload
from app.domain.thermal import FanPoints, TripPoints
from app.routing.modes import MODES, WORKLOADS, AutoRules
from app.thermal.sensor import Work
from app.thermal.sensors.simulated import SimulatedSettings
from app.thermal.watched import WatchedZone, ZonePlan
from app.wiring import read_backends
from app.zones import Workforce, read_sensors, regime, watch_zones
from backends.lane import Lane
from config.settings import Routing, Settings
from tests.app.builders import lane
from tests.fakes.backend import KIND as BACKEND
from tests.fakes.clock import FakeClock
from tests.fakes.sensor import KIND, ScriptedSensor

SIMULATED = {"kind": "simulated"}


def zone(name: str = "gpu", **keys: Any) -> dict[str, Any]:
    return {"id": name, "sensor": {"kind": KIND}, **keys}


def settings(*zones: dict[str, Any], **more: Any) -> Settings:
    return Settings(zones=zones, **more)


def watch(told: Settings, workforce: Workforce | None = None) -> dict[str, WatchedZone]:
    made = watch_zones(told, read_backends(told), workforce or Workforce(), FakeClock(7.0))
    return {each.plan.id: each for each in made}


def only_sensor(made: WatchedZone) -> ScriptedSensor:
    (poller,) = made.pollers
    assert isinstance(poller.sensor, ScriptedSensor)
    return poller.sensor


def test_every_zone_is_watched_in_the_order_of_the_configuration() -> None:
    assert list(watch(settings(zone("soc"), zone("gpu"), zone("npu")))) == ["soc", "gpu", "npu"]


def test_a_zone_is_planned_as_it_is_written() -> None:
    keys: dict[str, Any] = {
        "trips": {"warning": 60, "critical": 70, "shutdown": 80, "hysteresis": 3},
        "fans": {"quiet": 10, "moderate": 20, "loud": 30},
        "unknown": "avoid",
        "dwell_seconds": 4,
        "stale_after_seconds": 21,
    }
    made = watch(settings(zone(**keys)))["gpu"]

    assert made.plan == ZonePlan("gpu", TripPoints(60, 70, 80, 3), FanPoints(10, 20, 30), True, 4, 21)
    assert made.zone.since == 7.0


def test_what_is_left_out_is_as_the_contract_has_it() -> None:
    assert watch(settings(zone()))["gpu"].plan == ZonePlan("gpu", TripPoints(), FanPoints())
    assert (TripPoints(), FanPoints()) == (TripPoints(70, 85, 95, 5), FanPoints(30, 60, 85))


def test_a_zone_may_have_no_sensor_or_several() -> None:
    made = watch(settings({"id": "none"}, zone("many", sensor=[{"kind": KIND}, SIMULATED])))

    assert made["none"].pollers == ()
    assert [poller.settings.kind for poller in made["many"].pollers] == [KIND, "simulated"]


def test_each_sensor_has_the_settings_of_its_kind() -> None:
    sensors = read_sensors(settings(zone(sensor={**SIMULATED, "celsius": 40})))

    assert sensors == {"gpu": [SimulatedSettings(celsius=40)]}


def test_a_sensor_is_told_of_its_zone_and_of_the_hardware_in_it() -> None:
    backends = [
        {"id": "a", "kind": BACKEND, "hardware": "npu", "zone": "soc"},
        {"id": "b", "kind": BACKEND, "hardware": "igpu", "zone": "soc"},
        {"id": "c", "kind": BACKEND, "hardware": "nvidia", "zone": "gpu"},
        {"id": "d", "kind": BACKEND, "hardware": "cpu"},
    ]
    made = watch(settings(zone("soc"), zone("gpu"), backends=backends))

    around = only_sensor(made["soc"]).surroundings
    assert around is not None
    assert (around.zone, around.hardware) == ("soc", frozenset({Hardware.NPU, Hardware.IGPU}))
    other = only_sensor(made["gpu"]).surroundings
    assert other is not None
    assert other.hardware == {Hardware.NVIDIA}


def test_a_sensor_may_ask_what_the_backends_of_its_zone_have_done_whatever_a_reload_changes() -> None:
    workforce, clock = Workforce(), FakeClock(0.0)
    around = only_sensor(watch(settings(zone("gpu")), workforce)["gpu"]).surroundings
    assert around is not None
    assert around.work(0.0) == ()

    lanes: dict[str, Lane] = {
        name: lane(name, clock, zone=where, watts=watts)[0]
        for name, where, watts in (("a", "gpu", 5), ("b", "gpu", None), ("c", "soc", 9), ("d", None, 9))
        if where is not None or name == "d"
    }
    lanes["a"].try_enter()
    workforce.lanes = lanes

    assert around.work(4.0) == (Work("a", 5.0, 4.0), Work("b", None, 0.0))


def test_what_was_made_from_the_same_can_be_told() -> None:
    hot = {"warning": 60}
    npu = {"id": "a", "kind": BACKEND, "hardware": "npu", "zone": "gpu"}

    def origin(*backends: dict[str, Any], **keys: Any) -> object:
        return watch(settings(zone(**keys), backends=backends))["gpu"].origin

    assert origin() == origin()
    assert origin(npu) == origin({**npu, "id": "other"})
    others = [origin(trips=hot), origin(npu), origin(sensor=SIMULATED), origin(unknown="avoid"), origin(sensor=[])]
    assert all(other != origin() for other in others)


@pytest.mark.parametrize(
    ("zones", "said"),
    [
        ([zone("a"), zone("a")], "zones[1].id: another zone is called 'a' already"),
        ([zone(sensor={})], "zones[0].sensor: `kind` is missing: one of auto, battery, command, hwmon"),
        ([zone(sensor={"kind": 3})], "zones[0].sensor: `kind` is missing"),
        ([zone(sensor={"kind": "nvlm"})], "zones[0].sensor.kind: the kind nvlm is unknown; did you mean nvml?"),
        ([zone(sensor={"kind": "no.such:Thing"})], "zones[0].sensor.kind: no.such:Thing cannot be loaded"),
        ([zone(sensor={"kind": "json:loads"})], "zones[0].sensor.kind: json:loads is no sensor: it has no Settings"),
        ([zone("a"), zone(sensor={**SIMULATED, "celsius": 999})], "zones[1].sensor.celsius: input should be less"),
        (
            [zone(sensor={**SIMULATED, "celcius": 40})],
            "zones[0].sensor.celcius: there is no such key; did you mean `celsius`?",
        ),
        ([zone(sensor=[SIMULATED, {"kind": "nvlm"}])], "zones[0].sensor[1].kind: the kind nvlm is unknown"),
        ([zone(sensor=[SIMULATED, {**SIMULATED, "celsius": "x"}])], "zones[0].sensor[1].celsius: "),
        (
            [zone(sensor={"kind": KIND, "idle_seconds": 15})],
            "zones[0].sensor.idle_seconds: after 15 s its reading is stale: see `stale_after_seconds`",
        ),
        (
            [zone(sensor={"kind": KIND, "busy_seconds": 3, "idle_seconds": 1}, stale_after_seconds=2)],
            "zones[0].sensor.busy_seconds: after 2 s its reading is stale",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_wrong_with_a_zone_is_said_with_its_path(zones: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        watch(settings(*zones))

    assert caught.value.message.startswith(said)


def test_the_modes_are_the_contracts_unless_something_else_is_said() -> None:
    told = regime(Routing())

    assert told.mode == "balanced"
    assert dict(told.modes) == dict(MODES)
    assert told.workloads == WORKLOADS
    assert told.auto == AutoRules()
    assert (told.max_watts, told.relax, told.least_duty) == (None, True, 0.1)


def test_a_mode_is_changed_where_the_configuration_says_so_and_null_says_so_too() -> None:
    modes = {"balanced": {"max_watts": None, "max_celsius": 80}, "quiet": {"order": ["npu"]}}
    told = regime(Routing.model_validate({"modes": modes})).modes

    balanced, quiet = told["balanced"], told["quiet"]
    assert (balanced.max_watts, balanced.max_celsius) == (None, 80)
    assert (balanced.order, balanced.max_fan_percent) == (MODES["balanced"].order, 80)
    assert (quiet.order, quiet.max_watts) == ((Hardware.NPU,), 15)
    assert told["performance"] == MODES["performance"]


def test_workloads_that_are_not_said_stay_as_they_are() -> None:
    told = regime(Routing.model_validate({"workloads": {"code": ["npu", "cpu"], "text": ["igpu"]}})).workloads

    assert told[Workload.CODE] == {Hardware.NPU, Hardware.CPU}
    assert told[Workload.TEXT] == {Hardware.IGPU}
    assert told[Workload.IMAGE] == WORKLOADS[Workload.IMAGE]


def test_the_rules_of_auto_are_read() -> None:
    auto = {
        "battery_low_percent": 11,
        "battery_half_percent": 22,
        "quiet_hours": "21:30-05:15",
        "hot_celsius": 66,
        "loud_fan_percent": 77,
    }

    assert regime(Routing.model_validate({"auto": auto})).auto == AutoRules(11, 22, time(21, 30), time(5, 15), 66, 77)


def test_there_may_be_no_quiet_hours() -> None:
    told = regime(Routing.model_validate({"auto": {"quiet_hours": None}})).auto

    assert (told.quiet_from, told.quiet_until) == (None, None)


def test_budget_pace_and_what_gives_way_are_read() -> None:
    told = regime(Routing(max_watts=120, pace=0.5, on_no_candidate="reject", mode="auto"))

    assert (told.mode, told.max_watts, told.least_duty, told.relax) == ("auto", 120, 0.5, False)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"mode": "fast"}, "routing.mode: there is no mode 'fast'; there are performance, balanced, efficiency, quiet"),
        ({"modes": {"fast": {}}}, "routing.modes.fast: there is no such mode; there are performance, balanced"),
        ({"modes": {"auto": {}}}, "routing.modes.auto: there is no such mode"),
    ],
    ids=str,
)
def test_a_mode_that_is_none_is_told_with_its_path(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        regime(Routing.model_validate(keys))

    assert caught.value.message.startswith(said)
