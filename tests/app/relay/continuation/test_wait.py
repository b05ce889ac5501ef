"""Trying again while nothing can go on."""

from __future__ import annotations

import pytest

from app.relay.continuation.wait import tries
from app.relay.watch import Watchman
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio


async def test_it_tries_ever_less_often_and_no_longer_than_it_may() -> None:
    clock, paused = FakeClock(), list[float]()

    async def pause(seconds: float) -> None:
        paused.append(seconds)
        clock.advance(seconds)

    watch = Watchman(15.0, clock).watch()
    moments = [waited async for waited in tries(watch, 10.0, pause)]

    assert paused == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0, 0.25]
    assert moments[-1] == 10.0


async def test_without_time_to_wait_there_is_no_try() -> None:
    watch = Watchman(15.0, FakeClock()).watch()

    async def never(_: float) -> None:
        raise AssertionError("it waited")

    assert [waited async for waited in tries(watch, 0.0, never)] == []
