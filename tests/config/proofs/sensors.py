"""Proofs for the keys of sensors: those that all have, and those that only some kinds have."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.domain.backend import Hardware
from app.domain.thermal import Reading
from app.loader import load
from app.thermal.poller import Poller
from app.thermal.sensor import KINDS, SensorLostError, Surroundings, Work
from app.thermal.sensors.psutil import PsutilSensor, PsutilSettings
from tests.app.thermal.machines import hwmon, laptop
from tests.config.proofs.proof import Proof, gateway
from tests.fakes.answers import Json, Silence
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import HttpServer
from tests.fakes.sensor import KIND
from tests.fakes.sysfs import plant
from tests.fakes.wire import Request

Observe = Callable[[Any], Awaitable[Any]]
Tell = Callable[[Reading], Any]


def make(kind: str, work: Callable[[float], tuple[Work, ...]] = lambda _: (), **keys: Any) -> Any:
    """A sensor of that kind in a zone with a CPU."""
    found = load(kind, KINDS)
    around = Surroundings("zone", frozenset({Hardware.CPU}), work)
    return found(found.Settings.model_validate({"kind": kind, **keys}), around)


def read(kind: str, **keys: Any) -> Reading:
    sensor = make(kind, **keys)
    try:
        reading: Reading = sensor.read(0.0)
    finally:
        sensor.close()
    return reading


def celsius(reading: Reading) -> float | None:
    return reading.celsius


async def kind(value: str) -> str:
    """What measures a zone."""
    made, _ = gateway(zones=[{"id": "gpu", "sensor": {"kind": value}}])
    (poller,) = made.thermostat.monitor.watched["gpu"].pollers
    return type(poller.sensor).__name__


def interval(kind: str, key: str, **keys: Any) -> Observe:
    """Seconds between two readings at work, or at rest; the value None leaves the key out."""

    async def observe(value: float | None) -> float:
        sensor = load(kind, KINDS)
        told = {"kind": kind, **keys, **({} if value is None else {key: value})}
        settings = sensor.Settings.model_validate(told)
        poller = Poller(make(**told), settings, FakeClock())
        poller.pace(busy=key == "busy_seconds")
        return poller.interval_seconds

    return observe


def in_machine(kind: str, key: str, files: Mapping[str, Any], tell: Tell = celsius, **keys: Any) -> Observe:
    """What is read of a machine with these files."""

    async def observe(value: Any) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            root = plant(Path(folder), files)
            return tell(read(kind, **{"root": root, **keys, **({} if value is None else {key: value})}))

    return observe


def root_of(kind: str, plant_machine: Callable[[Path], object], tell: Tell, **keys: Any) -> Observe:
    """What is read where the machine's files are, and in another folder."""

    async def observe(value: str) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            plant_machine(Path(folder) / "here")
            (Path(folder) / "there" / "class").mkdir(parents=True)
            try:
                return tell(read(kind, root=Path(folder) / value, **keys))
            except SensorLostError:
                return "lost"

    return observe


def here_and_there(seen: Any) -> list[tuple[str, Any]]:
    return [("here", seen), ("there", "lost")]


def python(program: str) -> list[str]:
    return [sys.executable, "-S", "-c", program]


async def command(value: str) -> float | None:
    return read("command", command=python(f"print('{{\"celsius\": {value}}}')"), timeout_seconds=20).celsius


async def command_timeout(value: float) -> str:
    """Whether a program that waits for what never comes is given up within half a second."""
    waits = python("import threading; threading.Event().wait()")
    reading = asyncio.create_task(asyncio.to_thread(refusal, "command", command=waits, timeout_seconds=value))
    done, _ = await asyncio.wait([reading], timeout=0.5)
    seen = "gave up" if done else "still waits"
    await reading
    return seen


def refusal(kind: str, **keys: Any) -> str:
    try:
        read(kind, **keys)
    except SensorLostError as error:
        return error.message
    return "not lost"


async def asked(page: str, tell: Tell, **keys: Any) -> tuple[Request, Any]:
    """What a server is asked that has this page, and what of it is read."""
    async with HttpServer() as server:
        server.script = lambda _: Json(page.encode(), content_type="text/plain; version=0.0.4")
        told = {"timeout_seconds": 20, **keys, "url": f"{server.url}{keys.get('url', '/metrics')}"}
        reading = await asyncio.to_thread(read, "prometheus", **told)
    return server.requests[0], tell(reading)


CARDS = 'DCGM_FI_DEV_GPU_TEMP{gpu="0"} 68\nDCGM_FI_DEV_GPU_TEMP{gpu="1"} 72\n'
BOTH = f'{CARDS}isotherm_zone_temperature_celsius{{zone="far"}} 41\n'


def of_page(key: str, page: str = BOTH) -> Observe:
    async def observe(value: Any) -> Any:
        return (await asked(page, celsius, **{key: value}))[1]

    return observe


async def url(value: str) -> str:
    return (await asked(CARDS, celsius, url=value))[0].path


async def api_key(value: str | None) -> str | None:
    return (await asked(CARDS, celsius, api_key=value))[0].headers.get("authorization")


async def page_timeout(value: float) -> str:
    """Whether a server that says nothing is given up within half a second."""
    async with HttpServer() as server:
        later = asyncio.Event()
        server.script = lambda _: Silence(later, Json(CARDS.encode(), content_type="text/plain"))
        keys = {"url": f"{server.url}/metrics", "timeout_seconds": value}
        reading = asyncio.create_task(asyncio.to_thread(refusal, "prometheus", **keys))
        done, _ = await asyncio.wait([reading], timeout=0.5)
        later.set()
        await reading
    return "gave up" if done else "still waits"


def of_psutil(key: str, **keys: Any) -> Observe:
    """The temperature that is read where psutil tells those of two chips."""
    chips = {
        name: [SimpleNamespace(current=hot, high=None, critical=None)] for name, hot in (("k10temp", 50), ("x", 60))
    }
    psutil = SimpleNamespace(
        virtual_memory=lambda: SimpleNamespace(total=2, available=1),
        cpu_times=lambda: SimpleNamespace(_asdict=lambda: {"user": 1.0, "idle": 1.0}),
        sensors_temperatures=lambda: chips,
    )

    async def observe(value: Any) -> float | None:
        settings = PsutilSettings.model_validate({**keys, key: value})
        return PsutilSensor(settings, Surroundings("box"), library=lambda: psutil).read(0.0).celsius

    return observe


def replayed(key: str, at: float) -> Observe:
    """What is read so many seconds after the start of a recording of 40, 50 and 60 degrees, ten seconds each."""

    async def observe(value: Any) -> float | None:
        with tempfile.TemporaryDirectory() as folder:
            for name, shift in (("one", 0), ("two", 7)):
                rows = "".join(f"{second},{celsius + shift}\n" for second, celsius in ((0, 40), (10, 50), (20, 60)))
                (Path(folder) / name).write_text(f"seconds,celsius\n{rows}")
            name = value if key == "file" else "one"
            sensor = make("replay", **{key: value, "file": Path(folder) / name})
            sensor.read(0.0)
            found: float | None = sensor.read(at).celsius
        return found

    return observe


def simulated(key: str, tell: Tell = celsius, **keys: Any) -> Observe:
    """What is read of a simulated zone after it has worked for a minute at a hundred watts."""

    async def observe(value: Any) -> Any:
        sensor = make("simulated", lambda now: (Work("eco", 100.0, now),), **{**keys, key: value})
        sensor.read(0.0)
        told = tell(sensor.read(60.0))
        return round(told, 2) if isinstance(told, float) else told

    return observe


def card(bus_id: str, status: str) -> dict[str, str]:
    folder = f"bus/pci/devices/{bus_id}"
    return {f"{folder}/vendor": "0x10de", f"{folder}/class": "0x030000", f"{folder}/power/runtime_status": status}


#: The second of two cards sleeps; what is awake is asked of a library that is not there.
CARDS_OF_NVIDIA = {**card("0000:01:00.0", "active"), **card("0000:02:00.0", "suspended")}


async def nvml_device(value: int | str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        root = plant(Path(folder), CARDS_OF_NVIDIA)
        try:
            return "asleep" if read("nvml", device=value, root=root, library="/nowhere/nvml.so").asleep else "awake"
        except SensorLostError:
            return "asked for"


async def nvml_library(value: str) -> str:
    """Which library it looks for."""
    sys.modules.pop("pynvml", None)  # a process keeps the library that it has loaded
    message = refusal("nvml", root="/nowhere", library=f"/nowhere/{value}.so")
    sys.modules.pop("pynvml", None)
    return next(name for name in ("one", "two", "none") if f"{name}.so" in message or name == "none")


HWMON = {
    **hwmon(
        0, "coretemp", "coretemp.0", temp1_label="Package", temp1_input=61000, temp2_label="Core", temp2_input=55000
    ),
    **hwmon(1, "amdgpu", "0000:03:00.0", temp1_input=67000),
    **hwmon(2, "amdgpu", "0000:04:00.0", temp1_input=44000),
}
RAPL = {
    f"class/powercap/intel-rapl:{zone}/{name}": text
    for zone, domain, joules in (("0", "package-0", 7), ("0:0", "core", 3))
    for name, text in (("name", domain), ("energy_uj", joules * 1_000_000))
}
THERMAL_ZONES = {
    f"class/thermal/thermal_zone{place}/{name}": text
    for place, (kind, milli) in enumerate((("x86_pkg_temp", 61000), ("acpitz", 30000)))
    for name, text in (("type", kind), ("temp", milli))
}

#: Of the keys that all kinds have.
COMMON: dict[str, Proof] = {
    "kind": Proof(kind, [("simulated", "SimulatedSensor"), (KIND, "ScriptedSensor")]),
    "busy_seconds": Proof(interval("psutil", "busy_seconds"), [(None, 0.25), (2, 2)]),
    "idle_seconds": Proof(interval("psutil", "idle_seconds"), [(None, 5), (2, 2)]),
}

PROOFS: dict[str, dict[str, Proof]] = {
    "auto": {"root": Proof(root_of("auto", laptop, celsius), [("here", 61), ("there", None)])},
    "battery": {
        "busy_seconds": Proof(interval("battery", "busy_seconds"), [(None, 5), (2, 2)]),
        "root": Proof(
            root_of("battery", laptop, lambda reading: reading.battery and reading.battery.percent), here_and_there(75)
        ),
    },
    "command": {
        "busy_seconds": Proof(interval("command", "busy_seconds", command=["true"]), [(None, 1), (2, 2)]),
        "command": Proof(command, [("61.5", 61.5), ("40", 40)]),
        "timeout_seconds": Proof(command_timeout, [(0.05, "gave up"), (1, "still waits")]),
    },
    "hwmon": {
        "chip": Proof(in_machine("hwmon", "chip", HWMON), [(None, 61), ("amdgpu", 67)]),
        "device": Proof(
            in_machine("hwmon", "device", HWMON, chip="amdgpu"), [("0000:03:00.0", 67), ("0000:04:00.0", 44)]
        ),
        "label": Proof(in_machine("hwmon", "label", HWMON), [(None, 61), ("Core", 55)]),
        "root": Proof(root_of("hwmon", laptop, celsius), here_and_there(61)),
    },
    "intel_npu": {"root": Proof(root_of("intel_npu", laptop, lambda reading: reading.megahertz), here_and_there(1400))},
    "nvml": {
        "device": Proof(nvml_device, [(0, "asked for"), (1, "asleep"), ("0000:02:00.0", "asleep")]),
        "library": Proof(nvml_library, [("one", "one"), ("two", "two")]),
        "root": Proof(
            root_of(
                "nvml",
                lambda root: plant(root, CARDS_OF_NVIDIA),
                lambda reading: reading.asleep,
                device=1,
                library="/nowhere/nvml.so",
            ),
            here_and_there(True),
        ),
    },
    "prometheus": {
        "busy_seconds": Proof(interval("prometheus", "busy_seconds", url="http://box/metrics"), [(None, 1), (2, 2)]),
        "url": Proof(url, [("/metrics", "/metrics"), ("/federate", "/federate")]),
        "api_key": Proof(api_key, [(None, None), ("one", "Bearer one")]),
        "timeout_seconds": Proof(page_timeout, [(0.05, "gave up"), (20, "still waits")]),
        "exporter": Proof(of_page("exporter"), [("dcgm", 72), ("isotherm", 41)]),
        "select": Proof(of_page("select", CARDS), [({}, 72), ({"gpu": "0"}, 68)]),
    },
    "psutil": {
        "temperatures": Proof(of_psutil("temperatures"), [(False, None), (True, 50)]),
        "chips": Proof(of_psutil("chips", temperatures=True), [(["k10temp"], 50), (["k10temp", "x"], 60)]),
    },
    "rapl": {
        "domain": Proof(in_machine("rapl", "domain", RAPL, lambda reading: reading.joules), [(None, 7), ("core", 3)]),
        "root": Proof(root_of("rapl", laptop, lambda reading: reading.joules), here_and_there(7)),
    },
    "replay": {
        "file": Proof(replayed("file", 0.0), [("one", 40), ("two", 47)]),
        "speed": Proof(replayed("speed", 5.0), [(1, 40), (2, 50)]),
        "loop": Proof(replayed("loop", 31.0), [(True, 40), (False, 60)]),
    },
    "simulated": {
        "busy_seconds": Proof(interval("simulated", "busy_seconds"), [(None, 0.25), (2, 2)]),
        "idle_seconds": Proof(interval("simulated", "idle_seconds"), [(None, 0.5), (2, 2)]),
        "celsius": Proof(simulated("celsius"), [(None, 56.61), (40, 40)]),
        "ambient_celsius": Proof(simulated("ambient_celsius"), [(25, 56.61), (10, 41.61)]),
        "kelvin_per_watt": Proof(simulated("kelvin_per_watt"), [(0.5, 56.61), (0.1, 31.32)]),
        "time_constant_seconds": Proof(simulated("time_constant_seconds"), [(60, 56.61), (6, 75)]),
        "idle_watts": Proof(simulated("idle_watts", lambda reading: reading.watts), [(0, 100), (20, 120)]),
        "fan_percent": Proof(simulated("fan_percent", lambda reading: reading.fan_percent), [(None, None), (30, 30)]),
        "battery_percent": Proof(
            simulated("battery_percent", lambda reading: reading.battery and reading.battery.percent),
            [(None, None), (30, 30)],
        ),
        "plugged": Proof(
            simulated("plugged", lambda reading: reading.battery and reading.battery.plugged, battery_percent=30),
            [(True, True), (False, False)],
        ),
    },
    "thermal_zone": {
        "zone": Proof(in_machine("thermal_zone", "zone", THERMAL_ZONES), [(None, 61), ("acpi*", 30)]),
        "root": Proof(root_of("thermal_zone", lambda root: plant(root, THERMAL_ZONES), celsius), here_and_there(61)),
    },
}
