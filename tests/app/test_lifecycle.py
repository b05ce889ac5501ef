"""Starting, reloading, stopping."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.domain.backend import Health
from app.domain.errors import BackendRefusedError, ConfigurationError
from app.domain.thermal import ThermalState
from app.lifecycle import Lifecycle
from app.telemetry.decisions import Record
from backends.lane import Lane
from config.settings import Settings
from tests.app.builders import delta, job
from tests.fakes.backend import KIND, ScriptedBackend
from tests.fakes.sensor import KIND as SENSOR
from tests.fakes.sensor import ScriptedSensor
from tests.routers.running import until

pytestmark = pytest.mark.anyio

UNFETCHED = {"id": "local", "kind": "llamacpp", "model": "no-such-model"}


def scripted(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "kind": KIND, **more}


class Operated:
    """A lifecycle whose configuration file is `written`."""

    def __init__(self, *backends: dict[str, Any], **more: Any) -> None:
        self.written: Settings | ConfigurationError = Settings(backends=backends, **more)
        self.lifecycle = Lifecycle(self.written, find_model, self._read)

    def write(self, *backends: dict[str, Any], **more: Any) -> None:
        self.written = Settings(backends=backends, **more)

    @property
    def lanes(self) -> dict[str, Lane]:
        return dict(self.lifecycle.gateway.lanes)

    def backend(self, name: str) -> ScriptedBackend:
        backend = self.lanes[name].backend
        assert isinstance(backend, ScriptedBackend)
        return backend

    def _read(self) -> Settings:
        if isinstance(self.written, ConfigurationError):
            raise self.written
        return self.written


@asynccontextmanager
async def operated(*backends: dict[str, Any], **more: Any) -> AsyncIterator[Operated]:
    """Started and settled."""
    made = Operated(*backends, **more)
    await made.lifecycle.start()
    try:
        await made.lifecycle.settled()
        yield made
    finally:
        await made.lifecycle.stop()


def tasks() -> set[str]:
    """What runs now, by name."""
    return {task.get_name() for task in asyncio.all_tasks()}


def find_model(name: str) -> Path:
    raise ConfigurationError(f"the model {name} is not here yet")


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_starting_starts_and_asks_every_backend_and_stopping_stops_them() -> None:
    async with operated(scripted("a"), scripted("b")) as gateway:
        backends = [gateway.backend(name) for name in "ab"]
        assert [each.running for each in backends] == [True, True]
        assert [lane.health() for lane in gateway.lanes.values()] == [Health.CLOSED, Health.CLOSED]

    assert [each.running for each in backends] == [False, False]


async def test_it_is_settled_once_every_backend_has_answered_or_failed_to() -> None:
    made = Operated(scripted("well"), scripted("ill"), scripted("slow"))
    made.backend("ill").served = BackendRefusedError("ill", "can't be reached")
    made.backend("slow").gate.clear()
    await made.lifecycle.start()
    settled = asyncio.create_task(made.lifecycle.settled())
    await turns()
    assert not settled.done()

    made.backend("slow").gate.set()
    await settled
    await made.lifecycle.stop()


async def test_stopping_leaves_no_file_and_no_task_behind() -> None:
    before = tasks()
    async with operated(scripted("a")) as gateway:
        scratch = gateway.lifecycle._scratch
        (scratch / "slot").touch()
        assert tasks() != before

    assert not scratch.exists()
    assert tasks() == before


async def test_one_that_was_never_started_can_be_stopped() -> None:
    made = Operated(scripted("a"))
    await made.lifecycle.stop()

    assert not made.lifecycle._scratch.exists()


async def test_a_backend_that_can_not_be_stopped_is_no_reason_to_leave_the_others_running(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks() -> None:
        raise RuntimeError("stuck")

    made = Operated(scripted("stuck"), scripted("fine"))
    made.backend("stuck").stop = breaks  # type: ignore[method-assign]
    await made.lifecycle.start()
    scratch, fine = made.lifecycle._scratch, made.backend("fine")

    await made.lifecycle.stop()

    assert not fine.running
    assert not scratch.exists()
    assert "backend stuck could not be stopped" in caplog.text


async def test_a_reload_keeps_what_did_not_change_as_it_runs() -> None:
    async with operated(scripted("same")) as gateway:
        backend, lane = gateway.backend("same"), gateway.lanes["same"]
        gateway.write(scripted("same"), scripted("new"))

        made = await gateway.lifecycle.reload()

        assert made is gateway.lifecycle.gateway
        assert gateway.lanes["same"] is lane
        assert (backend.starts, backend.running) == (1, True)
        assert gateway.backend("new").running


async def test_a_reload_takes_the_new_order_keys_and_aliases() -> None:
    async with operated(scripted("a"), scripted("b")) as gateway:
        key = {"name": "ada", "key": "sk-ada-secret"}
        gateway.write(scripted("b"), scripted("a"), server={"api_keys": [key]}, routing={"aliases": {"fast": ["*"]}})

        made = await gateway.lifecycle.reload()

        assert list(made.lanes) == ["b", "a"]
        assert made.keyring.enter(b"Bearer sk-ada-secret").name == "ada"
        assert "fast" in made.directory.names()
        assert "auto" not in made.directory.names()


async def test_a_backend_that_is_gone_ends_its_answers_first_and_then_stops() -> None:
    async with operated(scripted("gone"), scripted("stays")) as gateway:
        backend, lane = gateway.backend("gone"), gateway.lanes["gone"]
        await lane.enter()
        gateway.write(scripted("stays"))

        await gateway.lifecycle.reload()
        await turns()
        assert "gone" not in gateway.lanes
        assert backend.running

        lane.leave()
        await turns()
        assert not backend.running


async def test_a_backend_that_changed_runs_beside_the_old_one_until_that_is_empty() -> None:
    async with operated(scripted("box", tier=1)) as gateway:
        old, lane = gateway.backend("box"), gateway.lanes["box"]
        await lane.enter()
        gateway.write(scripted("box", tier=2))

        await gateway.lifecycle.reload()
        await turns()

        assert gateway.lanes["box"].profile.tier == 2
        assert (old.running, gateway.backend("box").running) == (True, True)
        lane.leave()
        await turns()
        assert (old.running, gateway.backend("box").running) == (False, True)


async def test_stopping_does_not_wait_for_the_answers_of_backends_that_are_gone() -> None:
    async with operated(scripted("gone")) as gateway:
        backend = gateway.backend("gone")
        await gateway.lanes["gone"].enter()
        gateway.write()
        await gateway.lifecycle.reload()

    assert not backend.running


@pytest.mark.parametrize(
    "change",
    [
        {"host": "127.0.0.2"},
        {"port": 9999},
        {"cors_origins": ["https://a.example"]},
        {"max_body_bytes": 2048},
        {"drain_seconds": 3},
    ],
    ids=str,
)
async def test_what_only_a_restart_can_change_is_refused_with_its_path(change: dict[str, Any]) -> None:
    async with operated(scripted("a")) as gateway:
        before = gateway.lifecycle.gateway
        gateway.write(scripted("b"), server=change)

        with pytest.raises(ConfigurationError) as caught:
            await gateway.lifecycle.reload()

        assert caught.value.path == f"server.{next(iter(change))}"
        assert gateway.lifecycle.gateway is before


@pytest.mark.parametrize(
    "backends",
    [
        [{"id": "x", "kind": "olama"}],
        [{"id": "x", "kind": "openai"}],
        [scripted("new"), scripted("new")],
        [scripted("new", zone="nowhere")],
    ],
    ids=str,
)
async def test_an_invalid_configuration_is_refused_and_the_old_one_goes_on(backends: list[dict[str, Any]]) -> None:
    async with operated(scripted("old")) as gateway:
        before, backend = gateway.lifecycle.gateway, gateway.backend("old")
        gateway.write(*backends)

        with pytest.raises(ConfigurationError):
            await gateway.lifecycle.reload()

        assert gateway.lifecycle.gateway is before
        assert backend.running


async def test_a_file_that_can_not_be_read_changes_nothing_and_the_next_one_can() -> None:
    async with operated(scripted("old")) as gateway:
        gateway.written = ConfigurationError("is no YAML")
        with pytest.raises(ConfigurationError):
            await gateway.lifecycle.reload()
        assert list(gateway.lanes) == ["old"]

        gateway.write(scripted("new"))
        await gateway.lifecycle.reload()

        assert list(gateway.lanes) == ["new"]


async def test_a_new_backend_that_can_not_start_changes_nothing_and_leaves_nothing_running() -> None:
    async with operated(scripted("old")) as gateway:
        before, running = gateway.lifecycle.gateway, tasks()
        gateway.write(scripted("first"), UNFETCHED)

        with pytest.raises(ConfigurationError, match="not here yet"):
            await gateway.lifecycle.reload()

        assert gateway.lifecycle.gateway is before
        assert tasks() == running


async def test_when_a_backend_can_not_start_at_first_nothing_is_left_running() -> None:
    running, made = tasks(), Operated(scripted("first"), UNFETCHED)
    first = made.backend("first")

    with pytest.raises(ConfigurationError, match="not here yet"):
        await made.lifecycle.start()

    assert not first.running
    assert tasks() == running
    assert not made.lifecycle._scratch.exists()
    await made.lifecycle.stop()


def test_a_configuration_that_can_not_be_built_leaves_no_directory_behind(tmp_path: Path) -> None:
    def scratches() -> set[Path]:
        roots = (Path("/dev/shm"), Path(tempfile.gettempdir()))  # noqa: S108 (looked at, not used)
        return {path for root in roots for path in root.glob(f"isotherm-{os.getpid()}-*")}

    before = scratches()
    with pytest.raises(ConfigurationError):
        Operated({"id": "x", "kind": "olama"})

    assert scratches() <= before


async def test_two_reloads_at_once_happen_one_after_the_other() -> None:
    async with operated(scripted("a")) as gateway:
        gateway.write(scripted("b"))

        first, second = await asyncio.gather(gateway.lifecycle.reload(), gateway.lifecycle.reload())

        assert first.lanes["b"] is second.lanes["b"]
        backend = second.lanes["b"].backend
        assert isinstance(backend, ScriptedBackend)
        assert backend.starts == 1


async def test_what_is_remembered_outlives_a_reload() -> None:
    async with operated(scripted("a")) as gateway:
        before = gateway.lifecycle.gateway
        before.metrics.requests["chat", 200] += 1
        gateway.write(scripted("b"))

        after = await gateway.lifecycle.reload()

        assert after.metrics is before.metrics
        assert after.decisions is before.decisions


async def test_once_settled_every_model_that_was_found_has_a_name_and_a_route() -> None:
    async with operated(scripted("a")) as gateway:
        made = gateway.lifecycle.gateway

        assert set(made.directory.names()) == {"auto", "small"}
        assert [route.backend for route in made.decide(job(model="auto")).routes] == ["a"]


def zone(name: str, **keys: Any) -> dict[str, Any]:
    return {"id": name, "sensor": {"kind": SENSOR}, **keys}


def sensor_of(gateway: Operated, name: str) -> ScriptedSensor:
    (poller,) = gateway.lifecycle.gateway.thermostat.monitor.watched[name].pollers
    assert isinstance(poller.sensor, ScriptedSensor)
    return poller.sensor


async def closed(sensor: ScriptedSensor) -> bool:
    """Whether it is, or will be within a moment."""
    for _ in range(500):
        if sensor.closed_by:
            break
        await asyncio.sleep(0.01)
    return len(sensor.closed_by) == 1


async def test_sensors_are_read_and_when_it_stops_they_are_closed_and_no_thread_is_left() -> None:
    before = set(threading.enumerate())
    async with operated(zones=[zone("soc"), zone("gpu")]) as gateway:
        sensors = [sensor_of(gateway, name) for name in ("soc", "gpu")]
        for each in sensors:
            await asyncio.to_thread(each.until_read, 1)
        readers = [each for each in set(threading.enumerate()) - before if each.name.startswith("sensors ")]
        assert len(readers) == 1

    assert [await closed(each) for each in sensors] == [True, True]
    await asyncio.to_thread(readers[0].join, 5)
    assert not readers[0].is_alive()


async def test_once_settled_every_zone_that_can_be_measured_is_known() -> None:
    async with operated(zones=[zone("gpu")]) as gateway:
        assert gateway.lifecycle.gateway.thermostat.zones["gpu"].state is ThermalState.NOMINAL


async def test_a_sensor_that_hangs_delays_neither_the_start_nor_the_end_for_long() -> None:
    made = Operated(zones=[zone("gpu"), zone("soc")])
    hanging, well = sensor_of(made, "gpu"), sensor_of(made, "soc")
    hanging.gate.clear()
    async with asyncio.timeout(5):
        await made.lifecycle.start()
        await made.lifecycle.settled()
        await asyncio.to_thread(well.until_read, 1)
        await made.lifecycle.stop()
    assert hanging.closed_by == []
    hanging.gate.set()

    assert await closed(hanging)


async def test_after_a_reload_zones_that_did_not_change_go_on_and_the_sensors_of_others_are_closed() -> None:
    async with operated(zones=[zone("same"), zone("changed"), zone("gone")]) as gateway:
        same = gateway.lifecycle.gateway.thermostat.monitor.watched["same"]
        old = {name: sensor_of(gateway, name) for name in ("same", "changed", "gone")}
        gateway.write(zones=[zone("same"), zone("changed", dwell_seconds=3), zone("new")])

        await gateway.lifecycle.reload()

        watched = gateway.lifecycle.gateway.thermostat.monitor.watched
        assert watched["same"] is same
        assert [await closed(old[name]) for name in ("changed", "gone")] == [True, True]
        for name in ("changed", "new"):
            await asyncio.to_thread(sensor_of(gateway, name).until_read, 1)
        assert sensor_of(gateway, "same") is old["same"]
        assert old["same"].closed_by == []


async def test_a_reload_that_is_refused_leaves_the_zones_as_they_are() -> None:
    async with operated(zones=[zone("gpu")]) as gateway:
        before, sensor = gateway.lifecycle.gateway.thermostat, sensor_of(gateway, "gpu")
        gateway.write(UNFETCHED, zones=[zone("gpu", dwell_seconds=3), zone("new")])
        with pytest.raises(ConfigurationError):
            await gateway.lifecycle.reload()

        assert gateway.lifecycle.gateway.thermostat is before
        assert sensor_of(gateway, "gpu") is sensor
        assert sensor.closed_by == []


async def test_a_start_that_fails_closes_the_sensors() -> None:
    made = Operated(UNFETCHED, zones=[zone("gpu")])
    with pytest.raises(ConfigurationError):
        await made.lifecycle.start()

    assert await closed(sensor_of(made, "gpu"))


async def test_one_that_was_never_started_closes_its_sensors() -> None:
    made = Operated(zones=[zone("gpu")])
    await made.lifecycle.stop()

    assert len(sensor_of(made, "gpu").closed_by) == 1


async def test_the_thermostat_goes_on_beside_the_requests_and_ends_with_them() -> None:
    async with operated(zones=[zone("gpu")]) as gateway:
        assert "thermostat" in tasks()
        thermostat = gateway.lifecycle.gateway.thermostat
        sensor = sensor_of(gateway, "gpu")
        sensor.says = {"celsius": 90.0}
        await asyncio.to_thread(thermostat.monitor.watched["gpu"].pollers[0].read)
        await until(lambda: thermostat.zones["gpu"].state is ThermalState.CRITICAL)

    assert "thermostat" not in tasks()


async def test_a_mistake_of_ours_there_is_told_once_and_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    looks = 0

    def breaks(now: float) -> None:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise RuntimeError("secret")

    async with operated() as gateway:
        gateway.lifecycle.gateway.thermostat.look = breaks  # type: ignore[method-assign]
        await until(lambda: looks >= 4)

    told = [record.getMessage() for record in caplog.records if "the thermostat has a bug" in record.getMessage()]
    assert len(told) == 1
    assert "RuntimeError at test_lifecycle.py" in told[0]
    assert "secret" not in told[0]


async def test_a_mode_that_a_person_chose_outlives_every_reload() -> None:
    async with operated(scripted("a")) as gateway:
        gateway.lifecycle.gateway.thermostat.choose("quiet")
        for _ in range(2):
            await gateway.lifecycle.reload()
            assert gateway.lifecycle.gateway.thermostat.conditions.mode.name == "quiet"

        gateway.write(scripted("a"), routing={"mode": "performance"})
        await gateway.lifecycle.reload()
        assert gateway.lifecycle.gateway.thermostat.conditions.mode.name == "performance"


async def test_what_a_key_has_used_today_outlives_a_reload() -> None:
    async with operated(scripted("a")) as gateway:
        gateway.lifecycle.gateway.ledger.spend("ada", 3600.0)
        gateway.write(scripted("b"))
        await gateway.lifecycle.reload()

        assert gateway.lifecycle.gateway.ledger.watt_hours("ada") == 1


async def test_an_answer_that_began_before_a_reload_is_known_and_paid_for_after_it() -> None:
    async with operated(scripted("box", watts=10)) as gateway:
        old = gateway.lifecycle.gateway
        gateway.backend("box").script = lambda _: [delta("Hi", role="assistant"), asyncio.Event()]
        asked = job()
        record = Record(asked, old.clock())
        watch = old.relay.watch()
        answer = await old.relay.open(asked, old.decide(asked), record, watch)
        old.relay.forget(watch)
        gateway.write(scripted("box", watts=20))
        new = await gateway.lifecycle.reload()
        assert [route.backend for route, _ in new.relay.mover.running()] == ["box"]

        await old.relay.close(answer, record, None)
        assert list(new.relay.mover.running()) == []
        assert record.energy is not None
        assert record.energy.joules is not None


async def test_a_simulated_zone_goes_on_with_the_backends_of_a_new_configuration() -> None:
    simulated = {"id": "gpu", "sensor": {"kind": "simulated"}}
    async with operated(scripted("a", zone="gpu", watts=10), zones=[simulated]) as gateway:
        around = gateway.lifecycle.gateway.thermostat.monitor.watched["gpu"]
        gateway.write(scripted("b", zone="gpu", watts=30), zones=[simulated])
        await gateway.lifecycle.reload()

        assert gateway.lifecycle.gateway.thermostat.monitor.watched["gpu"] is around
        (poller,) = around.pollers
        assert [work.backend for work in poller.sensor._work(0.0)] == ["b"]  # type: ignore[attr-defined]
