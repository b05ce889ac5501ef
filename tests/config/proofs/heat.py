"""Proofs for the keys that are about heat, noise, power and efficiency modes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from app.domain.backend import ServedModel
from app.domain.job import Job, Workload
from app.domain.thermal import Battery, Zone
from app.telemetry.decisions import Record
from tests.app.builders import job
from tests.config.proofs.proof import CHAT, HELLO, Proof, gateway, scripted, serving
from tests.fakes.clock import FakeClock
from tests.fakes.sensor import KIND, ScriptedSensor

Observe = Callable[[Any], Awaitable[Any]]

SENSOR = {"kind": KIND, "busy_seconds": 0.25, "idle_seconds": 0.25}
#: The mode that holds by default likes the first of them best.
BIG, SMALL = {"hardware": "igpu", "watts": 50}, {"hardware": "cpu", "watts": 10}


class House:
    """Backends big and small, of which big heats the zone gpu; everything stands still until a test says so."""

    def __init__(
        self, *, zone: dict[str, Any] | None = None, handoff: dict[str, Any] | None = None, **routing: Any
    ) -> None:
        self.clock = FakeClock()
        zones = [{"id": "gpu", "sensor": SENSOR, **(zone or {})}]
        backends = [scripted("big", zone="gpu", **BIG), scripted("small", **SMALL)]
        self.gateway, self.watchman = gateway(
            self.clock, zones=zones, backends=backends, routing=routing, handoff=handoff or {}
        )

    def measure(self, **says: Any) -> Zone:
        """The zone, when its sensors say that."""
        for poller in self.gateway.thermostat.monitor.watched["gpu"].pollers:
            if isinstance(poller.sensor, ScriptedSensor):
                poller.sensor.says = says
            poller.read()
        return self.look()

    def look(self, after: float = 0.0) -> Zone:
        self.clock.advance(after)
        self.gateway.thermostat.look(self.clock())
        return self.gateway.thermostat.zones["gpu"]

    @property
    def mode(self) -> str:
        return self.gateway.thermostat.conditions.mode.name

    def first(self, asked: Job | None = None) -> str:
        """Who gets the job; nobody where there is no route."""
        routes = self.gateway.decide(asked or job()).routes
        return routes[0].backend if routes else "nobody"


async def sensor(value: Any) -> float | None:
    return House(zone={"sensor": value}).measure().celsius


def state_at(key: str, celsius: float) -> Observe:
    """The state of a zone that is that hot, by one trip point."""

    async def observe(value: float) -> str:
        return House(zone={"trips": {key: value}}).measure(celsius=celsius).state

    return observe


async def hysteresis(value: float) -> str:
    """The state of a zone that has cooled to two degrees under its warning point."""
    house = House(zone={"trips": {"hysteresis": value}, "dwell_seconds": 0})
    house.measure(celsius=75.0)
    return house.measure(celsius=68.0).state


def noise_at(key: str, percent: float) -> Observe:
    async def observe(value: float) -> str | None:
        return House(zone={"fans": {key: value}}).measure(celsius=40.0, fan_percent=percent).noise

    return observe


async def moderate(value: float) -> float:
    """What a fan at 70 percent counts against a backend."""
    house = House(zone={"fans": {"moderate": value}})
    house.measure(celsius=40.0, fan_percent=70.0)
    verdicts = [verdict for route in house.gateway.decide(job()).routes for verdict in route.verdicts]
    return round(next(verdict.penalty for verdict in verdicts if verdict.rule == "keep-quiet"), 3)


async def unknown(value: str) -> str:
    return House(zone={"unknown": value}).first()


async def dwell_seconds(value: float) -> str:
    """The state five seconds after it was warm, now that it has cooled."""
    house = House(zone={"dwell_seconds": value})
    house.measure(celsius=75.0)
    house.clock.advance(5)
    return house.measure(celsius=40.0).state


async def stale_after_seconds(value: float) -> str:
    """The state ten seconds after its sensor said something."""
    house = House(zone={"stale_after_seconds": value})
    house.measure(celsius=40.0)
    return house.look(after=10).state


async def mode(value: str) -> str:
    """Who gets a job: ultra-efficiency uses only NPUs, of which there are none."""
    return House(mode=value, on_no_candidate="reject").first()


def limit_of_balanced(key: str, **says: Any) -> Observe:
    """Who gets a job when the zone of the one that is liked best is like that."""

    async def observe(value: Any) -> str:
        house = House(modes={"balanced": {key: value}})
        house.measure(**{"celsius": 40.0, **says})
        return house.first()

    return observe


def mode_by(key: str, **says: Any) -> Observe:
    """Which mode auto stands for, at noon, when the zone is like that."""

    async def observe(value: Any) -> str:
        house = House(mode="auto", auto={key: value})
        house.measure(**{"celsius": 40.0, **says})
        return house.mode

    return observe


def battery(percent: float) -> dict[str, Battery]:
    return {"battery": Battery(percent, plugged=False)}


async def on_no_candidate(value: str) -> str:
    """Who gets a job in a mode that uses no hardware of this house."""
    return House(mode="ultra-efficiency", on_no_candidate=value).first()


async def budget(value: float | None) -> str:
    """Who gets a job while the zone draws a hundred watts."""
    house = House(max_watts=value)
    house.measure(celsius=40.0, watts=100.0)
    return house.first()


async def pace(value: float) -> float:
    """The share of the time that a critical backend works whose answer can go nowhere else."""
    house = House(pace=value)
    house.gateway.lanes["small"].found((ServedModel("other"),))
    asked = job()
    decision = house.gateway.decide(asked)
    answer = await house.gateway.relay.open(asked, decision, Record(asked, 0.0), house.gateway.relay.watch())
    house.measure(celsius=90.0)
    share = house.gateway.lanes["big"].duty
    await house.gateway.relay.close(answer, Record(asked, 0.0), None)
    return share


async def workloads(value: dict[str, list[str]]) -> str:
    """Who gets code to write, where the mode does not like one of them much better."""
    return House(mode="performance", workloads=value).first(job(workload=Workload.CODE))


async def background(value: str | None) -> str:
    """Which model writes the title of a chat with a model called large."""
    house = House(background=value)
    for lane in house.gateway.lanes.values():
        lane.found((ServedModel("large"), ServedModel("small")))
    return house.gateway.decide(job(model="large", background=True)).routes[0].model


async def max_watts_of_a_key(value: float | None) -> str:
    """Who works for it."""
    key = {"name": "ada", "key": "sk-ada-secret", "max_watts": value}
    backends = [scripted("big", **BIG), scripted("small", **SMALL)]
    async with serving(server={"api_keys": [key]}, backends=backends) as client:
        answer = await client.post(CHAT, json=HELLO, headers={"authorization": "Bearer sk-ada-secret"})
    return answer.headers["x-backend-used"]


async def watt_hours_per_day(value: float | None) -> int:
    """What the second request of a key is answered, after a first one of next to no time at ten kilowatts."""
    key = {"name": "ada", "key": "sk-ada-secret", "watt_hours_per_day": value}
    async with serving(server={"api_keys": [key]}, backends=[scripted(watts=10_000)]) as client:
        for _ in range(2):
            answer = await client.post(CHAT, json=HELLO, headers={"authorization": "Bearer sk-ada-secret"})
    return answer.status_code


FORTY, SIXTY = {"kind": "simulated", "celsius": 40}, {"kind": "simulated", "celsius": 60}

PROOFS: dict[str, Proof] = {
    "server.api_keys.max_watts": Proof(max_watts_of_a_key, [(None, "big"), (20, "small"), (50, "big")]),
    "server.api_keys.watt_hours_per_day": Proof(watt_hours_per_day, [(None, 200), (1e-9, 429), (1000, 200)]),
    "zones.sensor": Proof(sensor, [((), None), (FORTY, 40), (SIXTY, 60), ([FORTY, SIXTY], 60)]),
    "zones.trips.warning": Proof(state_at("warning", 65.0), [(70, "nominal"), (60, "warning")]),
    "zones.trips.critical": Proof(state_at("critical", 82.0), [(85, "warning"), (80, "critical")]),
    "zones.trips.shutdown": Proof(state_at("shutdown", 92.0), [(95, "critical"), (90, "shutdown")]),
    "zones.trips.hysteresis": Proof(hysteresis, [(5, "warning"), (1, "nominal")]),
    "zones.fans.quiet": Proof(noise_at("quiet", 25.0), [(30, "quiet"), (20, "moderate")]),
    "zones.fans.moderate": Proof(moderate, [(60, 2.2), (75, 1.0)]),
    "zones.fans.loud": Proof(noise_at("loud", 87.0), [(85, "loud"), (90, "moderate")]),
    "zones.unknown": Proof(unknown, [("allow", "big"), ("avoid", "small")]),
    "zones.dwell_seconds": Proof(dwell_seconds, [(4, "nominal"), (6, "warning")]),
    "zones.stale_after_seconds": Proof(stale_after_seconds, [(9, "unknown"), (11, "nominal")]),
    "routing.mode": Proof(mode, [("balanced", "big"), ("ultra-efficiency", "nobody")]),
    "routing.modes.order": Proof(limit_of_balanced("order"), [(["igpu", "cpu"], "big"), (["cpu", "igpu"], "small")]),
    "routing.modes.max_watts": Proof(limit_of_balanced("max_watts"), [(60, "big"), (20, "small"), (None, "big")]),
    "routing.modes.max_fan_percent": Proof(
        limit_of_balanced("max_fan_percent", fan_percent=50.0), [(80, "big"), (40, "small")]
    ),
    "routing.modes.max_celsius": Proof(limit_of_balanced("max_celsius"), [(85, "big"), (35, "small")]),
    "routing.auto.battery_low_percent": Proof(
        mode_by("battery_low_percent", **battery(30)), [(20, "efficiency"), (35, "ultra-efficiency")]
    ),
    "routing.auto.battery_half_percent": Proof(
        mode_by("battery_half_percent", **battery(40)), [(50, "efficiency"), (30, "balanced")]
    ),
    "routing.auto.quiet_hours": Proof(
        mode_by("quiet_hours"), [("22:00-06:00", "performance"), ("11:00-13:00", "quiet"), (None, "performance")]
    ),
    "routing.auto.hot_celsius": Proof(mode_by("hot_celsius", celsius=70.0), [(75, "performance"), (65, "efficiency")]),
    "routing.auto.loud_fan_percent": Proof(
        mode_by("loud_fan_percent", fan_percent=65.0), [(70, "performance"), (60, "quiet")]
    ),
    "routing.on_no_candidate": Proof(on_no_candidate, [("relax", "small"), ("reject", "nobody")]),
    "routing.max_watts": Proof(budget, [(None, "big"), (200, "big"), (120, "small")]),
    "routing.pace": Proof(pace, [(0.1, 0.1), (0.5, 0.5), (1, 1)]),
    "routing.workloads": Proof(workloads, [({"code": ["igpu"]}, "big"), ({"code": ["cpu"]}, "small")]),
    "routing.background": Proof(background, [(None, "large"), ("small", "small")]),
}
