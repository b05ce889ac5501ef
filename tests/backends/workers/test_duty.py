"""When a program is stopped and when it goes on, by a clock that the test turns."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from backends.workers.duty import PERIOD_SECONDS, Duty

pytestmark = pytest.mark.anyio

STOP, GO = signal.SIGSTOP, signal.SIGCONT


class Program:
    """What is signalled; `pauses` are those of its duty, each of which lasts until `go_on`."""

    def __init__(self) -> None:
        self.signals: list[signal.Signals] = []
        self.pauses: list[float] = []
        self.duty = Duty(self.signals.append, self._pause)
        self._paused = asyncio.Event()

    async def go_on(self, times: int = 1) -> None:
        for _ in range(times):
            self._paused.set()
            await turns()

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._paused.clear()
        await self._paused.wait()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def tasks() -> int:
    return len(asyncio.all_tasks())


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    made = Program()
    yield made
    made.duty.set(1)
    await turns()


async def test_of_each_period_it_works_its_share_and_stands_still_for_the_rest(program: Program) -> None:
    program.duty.set(0.2)
    await turns()
    assert program.signals == [GO]

    await program.go_on(3)

    assert program.signals == [GO, STOP, GO, STOP]
    assert program.pauses == pytest.approx([0.1, 0.4, 0.1, 0.4])
    assert PERIOD_SECONDS == 0.5


async def test_another_share_counts_from_the_next_pause_on(program: Program) -> None:
    program.duty.set(0.2)
    await turns()

    program.duty.set(0.6)
    await program.go_on(2)

    assert program.pauses == pytest.approx([0.1, 0.2, 0.3])


async def test_a_whole_share_lets_it_go_on_at_once_and_for_good(program: Program) -> None:
    program.duty.set(0.5)
    await turns()
    await program.go_on()
    assert program.signals[-1] is STOP

    program.duty.set(1)

    assert program.signals[-1] is GO
    await program.go_on(3)
    assert program.signals == [GO, STOP, GO]


async def test_it_is_not_stopped_by_a_pause_that_ends_as_the_duty_does(program: Program) -> None:
    program.duty.set(0.5)
    await turns()

    program._paused.set()
    program.duty.set(1)
    await turns()

    assert program.signals == [GO, GO]


async def test_there_is_a_task_only_while_it_is_slowed(program: Program) -> None:
    before = tasks()

    program.duty.set(1)
    assert tasks() == before
    for share in (0.5, 0.3, 0.5):
        program.duty.set(share)
        await turns()
        assert tasks() == before + 1
    program.duty.set(1)
    await turns()

    assert tasks() == before


async def test_one_that_was_never_slowed_gets_no_signal(program: Program) -> None:
    program.duty.set(1)
    await turns()

    assert program.signals == []


async def test_it_can_be_slowed_again(program: Program) -> None:
    program.duty.set(0.5)
    program.duty.set(1)
    program.duty.set(0.2)
    await turns()
    await program.go_on()

    assert program.signals[-2:] == [GO, STOP]
    assert program.pauses[-1] == pytest.approx(0.4)


@pytest.mark.parametrize("share", [0, -0.5, 1.01, float("nan")])
async def test_what_is_no_share_is_refused_and_changes_nothing(program: Program, share: float) -> None:
    program.duty.set(0.5)
    await turns()

    with pytest.raises(ValueError, match="share of time"):
        program.duty.set(share)
    await program.go_on()

    assert program.pauses == pytest.approx([0.25, 0.25])
