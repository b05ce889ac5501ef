"""Backends are asked how they are, and those that want it are warmed up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.domain.backend import Capability, Health, ServedModel
from app.domain.errors import BackendRefusedError, BackendStartingError
from app.domain.sse import DONE
from backends.lane import Lane
from backends.prober import Prober
from tests.app.builders import delta
from tests.fakes.backend import ScriptedBackend, ScriptedSettings
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio

DEAD = BackendRefusedError("box", "can't be reached")
Served = tuple[ServedModel, ...] | Exception

SMALL = (ServedModel("small"),)
STARTING = BackendStartingError("box", "is still starting")


class Asked:
    """A prober whose pauses last until `again`."""

    def __init__(self, **settings: Any) -> None:
        told = ScriptedSettings.model_validate({"id": "box", **settings})
        self.backend = ScriptedBackend(told)
        self.clock = FakeClock()
        self.lane = Lane(self.backend, told, self.clock)
        self.pauses: asyncio.Queue[float] = asyncio.Queue()
        self._go_on: asyncio.Queue[None] = asyncio.Queue()
        self.prober = Prober(self.lane, self.clock, self._pause)

    async def paused(self) -> float:
        """Wait until it pauses; for how long."""
        async with asyncio.timeout(5):
            return await self.pauses.get()

    async def again(self, served: Served) -> float:
        """Let it ask once more and find this; how long it pauses then."""
        self.backend.served = served
        self._go_on.put_nowait(None)
        return await self.paused()

    async def _pause(self, seconds: float) -> None:
        self.pauses.put_nowait(seconds)
        await self._go_on.get()


@asynccontextmanager
async def asked(served: Served = SMALL, **settings: Any) -> AsyncIterator[Asked]:
    made = Asked(**settings)
    made.backend.served = served
    await made.prober.start()
    try:
        yield made
    finally:
        await made.prober.stop()


async def test_it_starts_the_backend_asks_it_and_takes_what_it_found() -> None:
    async with asked((ServedModel("x"), ServedModel("y"))) as box:
        await box.paused()

        assert box.backend.running
        assert list(box.lane.models) == ["x", "y"]
        assert box.lane.health() is Health.CLOSED
        assert box.prober.settled.is_set()


async def test_it_stops_the_backend_with_itself() -> None:
    async with asked() as box:
        await box.paused()

    assert not box.backend.running


async def test_one_that_was_never_started_can_be_stopped() -> None:
    await Asked().prober.stop()


async def test_a_healthy_backend_is_asked_at_its_own_pace() -> None:
    async with asked(health={"interval_seconds": 7}) as box:
        assert [await box.paused(), await box.again(SMALL)] == [7, 7]


async def test_one_that_was_well_once_keeps_its_pace_when_it_dies() -> None:
    async with asked(health={"interval_seconds": 7}) as box:
        await box.paused()

        assert await box.again(DEAD) == 7


async def test_one_that_has_not_answered_yet_is_asked_often_and_then_less_and_less() -> None:
    async with asked(STARTING, health={"interval_seconds": 0.3}) as box:
        pauses = [await box.paused(), *[await box.again(STARTING) for _ in range(3)]]

    assert pauses == [pytest.approx(0.15), pytest.approx(0.225), 0.3, 0.3]


async def test_one_that_is_asked_all_the_time_is_not_asked_less_at_first() -> None:
    async with asked(STARTING, health={"interval_seconds": 0.01}) as box:
        assert await box.paused() == 0.01


async def test_while_it_loads_its_model_nothing_is_settled_and_nobody_is_sent_there() -> None:
    async with asked(STARTING) as box:
        await box.paused()
        assert not box.prober.settled.is_set()
        assert box.lane.health() is Health.UNKNOWN
        assert box.lane.breaker.reason == "backend 'box' is still starting"

        await box.again(SMALL)

        assert box.prober.settled.is_set()
        assert box.lane.health() is Health.CLOSED


async def test_a_first_failed_probe_settles_it_too() -> None:
    async with asked(DEAD) as box:
        await box.paused()

        assert box.prober.settled.is_set()
        assert box.lane.health() is Health.OPEN
        assert box.lane.breaker.reason == "backend 'box' can't be reached"


async def test_so_many_failed_probes_open_the_breaker() -> None:
    async with asked(health={"failures": 2}) as box:
        await box.paused()
        await box.again(DEAD)
        assert box.lane.health() is Health.CLOSED

        await box.again(DEAD)

        assert box.lane.health() is Health.OPEN


async def test_a_probe_that_is_not_answered_fails() -> None:
    box = Asked(timeouts={"connect": 0.01}, health={"interval_seconds": 0.01})
    box.backend.gate.clear()

    assert not await box.prober.probe()

    assert box.lane.breaker.reason == "a probe was not answered in time"


async def test_a_kind_with_a_bug_is_ill_and_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    async with asked(KeyError("url")) as box:
        await box.paused()
        assert box.lane.health() is Health.OPEN
        assert "bug" in box.lane.breaker.reason
        await box.again(KeyError("url"))
        assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1
        assert "Traceback" not in caplog.text

        await box.again(SMALL)

        assert box.lane.health() is Health.HALF_OPEN
    assert not box.backend.running


async def test_changes_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with asked(health={"failures": 1}) as box:
        await box.paused()
        finds: list[Served] = [SMALL, DEAD, DEAD, SMALL, SMALL]
        for found in finds:
            await box.again(found)

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "backend box: unknown -> closed "),
        ("WARNING", "backend box: closed -> open backend 'box' can't be reached"),
        ("INFO", "backend box: open -> half_open backend 'box' can't be reached"),
        ("INFO", "backend box: half_open -> closed "),
    ]


async def test_without_warm_up_nothing_is_asked_of_the_models() -> None:
    async with asked() as box:
        await box.paused()

        assert box.backend.asked == []


async def test_warming_up_asks_each_model_for_one_token_once() -> None:
    async with asked((ServedModel("x"), ServedModel("y")), warm_up=True) as box:
        box.backend.script = lambda _: [delta("Hi"), DONE]
        await box.paused()
        await box.again((ServedModel("x"), ServedModel("y")))

        assert [(job.body["model"], job.body["max_tokens"]) for job in box.backend.asked] == [("x", 1), ("y", 1)]
        assert box.backend.closed == 2


async def test_one_that_loads_its_model_first_is_warmed_up_when_it_is_ready() -> None:
    async with asked(STARTING, warm_up=True) as box:
        await box.paused()
        assert box.backend.asked == []

        await box.again(SMALL)

        assert len(box.backend.asked) == 1


async def test_models_that_do_not_talk_are_not_talked_to() -> None:
    embedder = ServedModel("e", capabilities=frozenset({Capability.EMBED}))
    async with asked((embedder,), warm_up=True) as box:
        await box.paused()
        assert box.backend.asked == []

    async with asked((ServedModel("e"),), warm_up=True, able=["embed"]) as box:
        await box.paused()
        assert box.backend.asked == []


async def test_a_warm_up_that_fails_is_told_and_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    box = Asked(warm_up=True)
    box.backend.script = lambda _: [DEAD]
    await box.prober.start()
    await box.paused()
    await box.prober.stop()

    assert "warm-up of small failed: backend 'box' can't be reached" in caplog.text
    assert box.lane.health() is Health.CLOSED


async def test_a_warm_up_that_never_ends_does_not_end_the_asking(caplog: pytest.LogCaptureFixture) -> None:
    box = Asked(warm_up=True, timeouts={"first_token": 0.01})
    box.backend.script = lambda _: [asyncio.Event()]
    await box.prober.start()
    await box.paused()
    await box.prober.stop()

    assert "took too long" in caplog.text
    assert box.backend.closed == 1
