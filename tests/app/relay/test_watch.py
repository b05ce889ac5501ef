"""The clocks of a running answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.domain.errors import BackendTimeoutError
from app.relay.watch import TICK_SECONDS, Watch, Watchman
from backends.base import Timeouts
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio

TIMEOUTS = Timeouts(connect=1, first_token=10, stall=5, total=100)
SILENCE = 15.0


def watched(clock: FakeClock, *, started: bool = False) -> tuple[Watchman, Watch]:
    """A watch of the current task, with a backend that has been asked."""
    watchman = Watchman(SILENCE, clock)
    watch = watchman.watch()
    watch.begin("box", TIMEOUTS)
    watch.started = started
    return watchman, watch


async def looked_at_after(seconds: float, watchman: Watchman, step: Awaitable[None], watch: Watch) -> None:
    """Wait for the step, with a look at the clocks once so many seconds are over."""
    clock = watchman.clock
    assert isinstance(clock, FakeClock)

    def look() -> None:
        clock.advance(seconds)
        watchman.look(clock())

    asyncio.get_running_loop().call_soon(look)
    await watch.guard(step)


async def never() -> None:
    await asyncio.Event().wait()


def soon() -> asyncio.Future[None]:
    """Done once the loop has turned a few times."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def later(turns: int) -> None:
        if done.done():
            return
        if turns:
            asyncio.get_running_loop().call_soon(later, turns - 1)
        else:
            done.set_result(None)

    later(5)
    return done


async def test_a_backend_that_says_nothing_runs_into_the_first_token_timeout() -> None:
    watchman, watch = watched(FakeClock())

    with pytest.raises(BackendTimeoutError, match="backend 'box' sent nothing for 10 s"):
        await looked_at_after(10.1, watchman, never(), watch)


async def test_a_backend_that_begins_within_the_first_token_timeout_is_let_be() -> None:
    watchman, watch = watched(FakeClock())

    await looked_at_after(9.9, watchman, soon(), watch)


async def test_after_the_first_chunk_the_stall_timeout_counts() -> None:
    watchman, watch = watched(FakeClock(), started=True)

    with pytest.raises(BackendTimeoutError, match="stalled for 5 s in the middle of the answer"):
        await looked_at_after(5.1, watchman, never(), watch)


async def test_before_the_first_chunk_the_stall_timeout_does_not_count() -> None:
    watchman, watch = watched(FakeClock(), started=False)

    await looked_at_after(5.1, watchman, soon(), watch)


async def test_each_chunk_starts_the_stall_clock_anew() -> None:
    watchman, watch = watched(FakeClock(), started=True)

    for _ in range(10):
        await looked_at_after(4.9, watchman, soon(), watch)


async def test_an_answer_that_never_stalls_still_ends_at_the_total() -> None:
    watchman, watch = watched(FakeClock(), started=True)

    for _ in range(25):
        await looked_at_after(4, watchman, soon(), watch)

    with pytest.raises(BackendTimeoutError, match="took longer than 100 s for the whole answer"):
        await looked_at_after(4, watchman, soon(), watch)


async def test_while_the_client_reads_no_backend_is_late() -> None:
    clock = FakeClock()
    watchman, watch = watched(clock, started=True)

    await watch.guard(soon())
    clock.advance(99)
    watchman.look(clock())
    await asyncio.sleep(0)  # a cancellation would come here

    assert watch.expired is None


async def test_a_watch_without_a_backend_is_never_late() -> None:
    clock = FakeClock()
    watchman = Watchman(SILENCE, clock)
    watch = watchman.watch()

    await looked_at_after(10_000, watchman, soon(), watch)


async def test_the_next_backend_starts_with_clocks_of_its_own() -> None:
    watchman, watch = watched(FakeClock())
    with pytest.raises(BackendTimeoutError):
        await looked_at_after(10.1, watchman, never(), watch)

    watch.begin("other", TIMEOUTS)
    await looked_at_after(9.9, watchman, soon(), watch)
    with pytest.raises(BackendTimeoutError, match="backend 'other'"):
        await looked_at_after(10.1, watchman, never(), watch)


async def test_after_a_timeout_the_task_can_go_on() -> None:
    watchman, watch = watched(FakeClock())
    with pytest.raises(BackendTimeoutError):
        await looked_at_after(10.1, watchman, never(), watch)

    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    await asyncio.sleep(0)


async def test_a_timeout_that_meets_a_step_just_done_is_still_a_timeout_and_leaves_no_cancellation_behind() -> None:
    clock = FakeClock()
    watchman, watch = watched(clock)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def both() -> None:
        done.set_result(None)
        clock.advance(10.1)
        watchman.look(clock())

    asyncio.get_running_loop().call_soon(both)
    with pytest.raises(BackendTimeoutError):
        await watch.guard(done)
    await asyncio.sleep(0)


async def in_a_task(carry: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    async def run() -> None:
        await carry()

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    return task


async def test_a_client_that_leaves_cancels_the_step_and_it_is_no_timeout() -> None:
    found: list[Watch] = []

    async def carry() -> None:
        _, watch = watched(FakeClock())
        found.append(watch)
        await watch.guard(never())

    task = await in_a_task(carry)
    found[0].leave()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert found[0].left
    assert found[0].waiting_since is None


async def test_whoever_else_cancels_the_task_is_not_taken_for_a_timeout() -> None:
    async def carry() -> None:
        _, watch = watched(FakeClock())
        await watch.guard(never())

    task = await in_a_task(carry)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_outer_cancellation_wins_over_a_timeout_at_the_same_time() -> None:
    clock, found = FakeClock(), list[Watchman]()

    async def carry() -> None:
        watchman, watch = watched(clock)
        found.append(watchman)
        await watch.guard(never())

    task = await in_a_task(carry)
    task.cancel()
    clock.advance(11)
    found[0].look(clock())

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_waiting_in_line_is_ended_by_the_total_and_by_nothing_before() -> None:
    clock = FakeClock()
    watchman, watch = watched(clock)

    def look() -> None:
        clock.advance(99)
        watchman.look(clock())
        assert watch.expired is None
        clock.advance(2)
        watchman.look(clock())

    asyncio.get_running_loop().call_soon(look)
    with pytest.raises(BackendTimeoutError, match="100 s for the whole answer"):
        await watch.in_line(never())


async def test_it_listens_for_the_clients_leaving_once_an_answer_outlives_a_tick() -> None:
    clock = FakeClock()
    watchman, watch = watched(clock)
    calls: list[str] = []
    watch.on_long = lambda: calls.append("long")

    watchman.look(clock())
    watchman.look(clock())

    assert calls == ["long"]


async def test_silence_is_broken_again_and_again_but_only_while_the_backend_is_silent() -> None:
    clock = FakeClock()
    watchman, watch = watched(clock)
    watch.begin("box", TIMEOUTS.model_copy(update={"first_token": 1000.0, "total": 1000.0}))
    broken: list[float] = []
    watch.on_silence = lambda: broken.append(clock() - 1000)

    watch.waiting_since = clock()
    for _ in range(40):
        clock.advance(1)
        watchman.look(clock())
    watch.waiting_since = None
    clock.advance(100)
    watchman.look(clock())

    assert broken == [15, 30]


async def test_a_forgotten_watch_is_looked_at_no_more() -> None:
    clock = FakeClock()
    watchman, watch = watched(clock)
    watch.waiting_since = clock()
    assert len(watchman) == 1

    watchman.forget(watch)
    watchman.forget(watch)
    clock.advance(1000)
    watchman.look(clock())

    assert len(watchman) == 0
    assert watch.expired is None


async def test_the_watchman_looks_by_himself_within_a_tick_or_two() -> None:
    clock = FakeClock()
    watchman, watch = watched(clock)
    seen = asyncio.Event()
    watch.on_long = seen.set
    running = asyncio.create_task(watchman.run())

    async with asyncio.timeout(20 * TICK_SECONDS):
        await seen.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_only_a_task_can_be_watched() -> None:
    with pytest.raises(RuntimeError):
        Watchman(SILENCE, FakeClock()).watch()
