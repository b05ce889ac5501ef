"""What a reader sees of an answer whose backend changes, in a time that only the test moves."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from itertools import islice, pairwise, repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import StreamBrokenError
from app.domain.sse import DONE
from app.relay.delivery import Delivery
from tests.app.builders import delta
from tests.fakes.clock import FakeClock

pytestmark = pytest.mark.anyio

GAP = 0.012
STALL = 0.1
NEEDED = 10  # for that stall at that pace
ROOM = 4 * NEEDED


class Time:
    """Moves on to when the next sleeper wakes once nobody can do anything before."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.clock() + seconds, next(self._order), woken))
        await woken

    async def run(self, *work: Coroutine[Any, Any, None]) -> None:
        """Until all of it is done, or some of it raises."""
        done = asyncio.gather(*work)
        await self.settle()
        while not done.done():
            assert self._sleepers, "all wait for each other"
            when, _, woken = heapq.heappop(self._sleepers)
            self.clock.now = when
            if not woken.done():
                woken.set_result(None)
            await self.settle()
        await done

    async def settle(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0)


class Stage:
    """A backend that writes, one that takes over, and who reads them; `sent` and `got` say what came when."""

    def __init__(self, *, oversleeps: float = 0.0) -> None:
        self.time = Time()
        self.delivery = Delivery(self.time.clock, lambda seconds: self.time.sleep(seconds + oversleeps))
        self.sent: list[tuple[float, bytes]] = []
        self.got: list[tuple[float, bytes]] = []
        self.most_held = 0
        self._words = itertools.count()

    def say(self, block: bytes) -> None:
        self.sent.append((self.time.clock(), block))
        self.delivery.put(block)
        self.most_held = max(self.most_held, self.delivery.held)

    async def write(self, gaps: Iterable[float], size: int = 1) -> None:
        """As many blocks of words as there are gaps, each after its gap."""
        for gap in gaps:
            await self.time.sleep(gap)
            self.say(b"".join(delta(f"word {next(self._words)} ") for _ in range(size)))
            await self.delivery.room()

    async def collect(self, gaps: Iterator[float], size: int = 1, seconds: float = STALL) -> None:
        """Write until so long a gap could be bridged."""
        while not self.delivery.bridge(seconds):
            await self.write(islice(gaps, 1), size)

    async def change(self, seconds: float = STALL) -> None:
        """A bridge has to last so long: nobody writes."""
        self.delivery.changing()
        await self.time.sleep(seconds)
        self.delivery.changed()

    async def play(self, writing: Coroutine[Any, Any, None], delays: Iterable[float] = (0.0,)) -> None:
        """Until a reader that takes so long after each block has read all that was written."""
        turn = itertools.cycle(delays)

        async def write() -> None:
            await writing
            self.delivery.close()

        async def read() -> None:
            while block := await self.delivery.next():
                self.got.append((self.time.clock(), block))
                if delay := next(turn):
                    await self.time.sleep(delay)

        await self.time.run(write(), read())
        self.check()

    def check(self) -> None:
        """What was sent came out, byte for byte."""
        assert b"".join(block for _, block in self.got) == b"".join(block for _, block in self.sent)

    def seen(self, since: float = 0.0, until: float = float("inf")) -> list[float]:
        """The gaps of the reader's that ended in this time."""
        return [b - a for (a, _), (b, _) in pairwise(self.got) if since < b <= until]


def jittered(seed: int, gap: float = GAP, share: float = 0.15) -> Iterator[float]:
    """Gaps as a decoder has them, by a normal distribution."""
    made = random.Random(seed)
    while True:
        yield max(0.1 * gap, made.gauss(gap, share * gap))


def p99(gaps: Iterable[float]) -> float:
    ordered = sorted(gaps)
    return ordered[int(0.99 * len(ordered))]


ORDINARY_P99 = p99(islice(jittered(99), 10_000))


@pytest.mark.parametrize("seed", range(20))
async def test_a_stall_that_was_prepared_for_cannot_be_seen(seed: int) -> None:
    stage, gaps = Stage(), jittered(seed)

    async def writing() -> None:
        await stage.write(islice(gaps, 20))
        await stage.collect(gaps)
        await stage.change()
        await stage.write(islice(gaps, 300))

    await stage.play(writing())

    assert max(b - a for (a, _), (b, _) in pairwise(stage.sent)) > STALL
    assert max(stage.seen()) <= 1.5 * ORDINARY_P99


@pytest.mark.parametrize("seed", range(5))
async def test_collecting_takes_ten_bridges_and_slows_by_a_tenth(seed: int) -> None:
    stage, gaps, times = Stage(), jittered(seed), []

    async def writing() -> None:
        await stage.write(islice(gaps, 20))
        times.append(stage.time.clock())
        await stage.collect(gaps)
        times.append(stage.time.clock())

    await stage.play(writing())

    began, ended = times
    assert 8 <= (ended - began) / (NEEDED * GAP) <= 14
    written = sum(began < when <= ended for when, _ in stage.sent)
    read = len(stage.seen(began, ended - 0.001))
    assert read >= written / 1.1 - 2


async def test_enough_is_not_exceeded_however_long_the_change_lets_wait() -> None:
    stage, held = Stage(), []

    async def writing() -> None:
        await stage.collect(repeat(GAP))
        for _ in range(500):
            await stage.write([GAP])
            stage.delivery.bridge(STALL)
            held.append(stage.delivery.held)

    await stage.play(writing())

    assert NEEDED - 1 <= min(held) <= max(held) <= NEEDED + 1


@pytest.mark.parametrize("called_off_before", [False, True])
async def test_while_the_backends_change_the_pace_is_the_usual_one(called_off_before: bool) -> None:
    stage, times = Stage(), []

    async def writing() -> None:
        await stage.collect(repeat(GAP))
        if called_off_before:
            stage.delivery.changed()
            await stage.collect(repeat(GAP))
        times.append(stage.time.clock())
        await stage.change(0.5)

    await stage.play(writing())

    seen = stage.seen(times[0] + 2 * GAP)
    assert len(seen) >= NEEDED - 3
    assert seen == pytest.approx([GAP] * len(seen))


async def test_after_the_change_it_is_a_tenth_quicker_until_nothing_is_held() -> None:
    stage, times = Stage(), []

    async def writing() -> None:
        await stage.collect(repeat(GAP))
        await stage.change(STALL / 2)
        times.append(stage.time.clock())
        await stage.write(repeat(GAP, 200))

    await stage.play(writing())

    seen = stage.seen(times[0] + GAP)
    quick = list(itertools.takewhile(lambda gap: gap < 0.95 * GAP, seen))
    assert quick[1:-1] == pytest.approx([0.9 * GAP] * (len(quick) - 2))
    assert 3 * NEEDED < len(quick) < 8 * NEEDED
    assert seen[len(quick) :] == pytest.approx([GAP] * (len(seen) - len(quick)))


async def test_once_nothing_is_held_all_goes_through_as_it_comes() -> None:
    stage = Stage()

    async def writing() -> None:
        await stage.collect(repeat(GAP))
        await stage.change()
        await stage.write(repeat(GAP, 100))
        await stage.write([GAP, 0.001, 0.001, 0.2, 0.001], size=3)

    await stage.play(writing())

    assert stage.got[-5:] == stage.sent[-5:]


@pytest.mark.parametrize("seed", range(5))
async def test_a_slower_backend_is_seen_to_be_slower_and_nothing_else(seed: int) -> None:
    stage, gaps, slower = Stage(), jittered(seed), list(islice(jittered(seed + 100, 0.03), 100))
    times = []

    async def writing() -> None:
        await stage.collect(gaps)
        await stage.change()
        times.append(stage.time.clock())
        await stage.write(slower)

    await stage.play(writing())

    assert max(stage.seen(until=times[0])) <= 1.5 * ORDINARY_P99
    assert max(stage.seen(times[0])) < max(slower) + 1e-6
    assert stage.got[-80:] == stage.sent[-80:]


async def test_a_faster_backend_is_read_at_its_own_pace() -> None:
    stage = Stage()

    async def writing() -> None:
        await stage.collect(repeat(GAP))
        await stage.change()
        await stage.write(repeat(0.006, 400))

    await stage.play(writing())

    assert max(stage.seen()) < 1.5 * GAP
    assert stage.most_held < ROOM
    assert stage.got[-100:] == stage.sent[-100:]


async def test_a_stall_longer_than_the_bridge_is_shorter_by_what_was_held() -> None:
    stage = Stage()

    async def writing() -> None:
        await stage.collect(repeat(GAP))
        await stage.change(0.5)
        await stage.write(repeat(GAP, 50))

    await stage.play(writing())

    assert max(stage.seen()) == pytest.approx(0.5 + GAP - NEEDED * GAP, abs=1.2 * GAP)
    assert stage.got[-50:] == stage.sent[-50:]


async def test_a_change_that_is_called_off_drains_what_was_collected() -> None:
    stage = Stage()

    async def writing() -> None:
        await stage.collect(repeat(GAP))
        stage.delivery.changed()
        await stage.write(repeat(GAP, 200))

    await stage.play(writing())

    assert stage.got[-50:] == stage.sent[-50:]
    assert max(stage.seen()) < 1.2 * GAP


async def test_a_second_change_is_bridged_like_the_first() -> None:
    stage, gaps = Stage(), jittered(7)

    async def writing() -> None:
        for _ in range(2):
            await stage.collect(gaps)
            await stage.change()
            await stage.write(islice(gaps, 150))

    await stage.play(writing())

    assert max(stage.seen()) <= 1.5 * ORDINARY_P99


async def test_bursts_come_out_evenly() -> None:
    stage, times = Stage(), []

    async def writing() -> None:
        await stage.collect(repeat(4 * GAP), size=4)
        times.append(stage.time.clock())
        await stage.change()
        await stage.write(repeat(4 * GAP, 30), size=4)

    await stage.play(writing())

    assert max(stage.seen(times[0] - 20 * GAP, times[0] + STALL)) < 1.2 * GAP


async def test_events_that_come_at_once_in_blocks_of_their_own_are_a_burst_too() -> None:
    stage, times = Stage(), []

    async def writing() -> None:
        await stage.collect(itertools.cycle([4 * GAP, 0.0, 0.0, 0.0]))
        times.append(stage.time.clock())
        await stage.change()

    await stage.play(writing())

    assert max(stage.seen(times[0] - 20 * GAP, times[0] + STALL)) < 1.2 * GAP


async def test_a_hiccup_is_no_change_of_pace() -> None:
    stage, times = Stage(), []

    async def writing() -> None:
        await stage.write(repeat(GAP, 20))
        await stage.collect(repeat(GAP))
        await stage.write([0.5])
        times.append(stage.time.clock())
        await stage.collect(repeat(GAP))

    await stage.play(writing())

    assert max(stage.seen(times[0] + GAP)) < 1.15 * GAP


async def test_a_pause_that_lasts_too_long_does_not_add_up() -> None:
    stage, times = Stage(oversleeps=0.004), []

    async def writing() -> None:
        await stage.write(repeat(GAP, 20))
        times.append(stage.time.clock())
        await stage.collect(repeat(GAP))
        times.append(stage.time.clock())

    await stage.play(writing())

    assert 9 * NEEDED <= (times[1] - times[0]) / GAP <= 12 * NEEDED


async def test_a_pause_that_ends_too_soon_does_not_add_up() -> None:
    stage, times = Stage(oversleeps=-0.0005), []

    async def writing() -> None:
        await stage.write(repeat(GAP, 20))
        times.append(stage.time.clock())
        await stage.collect(repeat(GAP))
        times.append(stage.time.clock())

    await stage.play(writing())

    assert 9 * NEEDED <= (times[1] - times[0]) / GAP <= 12 * NEEDED


async def test_before_anybody_asks_for_a_bridge_blocks_go_through_as_they_come() -> None:
    stage = Stage()

    await stage.play(stage.write([0.01, 0.0001, 0.2, 0.01, 0.02] * 5, size=3))

    assert stage.got == stage.sent


async def test_while_the_pace_is_not_known_nothing_is_held_back() -> None:
    stage = Stage()

    async def writing() -> None:
        for _ in range(4):
            assert not stage.delivery.bridge(STALL)
            await stage.write([GAP], size=2)

    await stage.play(writing())

    assert stage.got == stage.sent


async def test_a_gap_that_no_room_could_bridge_slows_nothing() -> None:
    stage = Stage()

    async def writing() -> None:
        await stage.write(repeat(GAP, 20))
        for _ in range(100):
            assert not stage.delivery.bridge(256 * GAP)
            await stage.write([GAP])

    await stage.play(writing())

    assert [when for when, _ in stage.got] == pytest.approx([when for when, _ in stage.sent])


@pytest.mark.parametrize(("seconds", "needed"), [(0.0, 1), (0.005, 2), (0.01, 2), (0.1, 11), (0.101, 12)])
async def test_a_bridge_needs_an_event_for_each_gap_in_it_and_one_more(seconds: float, needed: int) -> None:
    clock = FakeClock(0.0)
    delivery = Delivery(clock)
    for _ in range(5):
        delivery.put(delta("a"))
        clock.now += 0.01
    assert await delivery.next() == delta("a") * 5

    for _ in range(needed):
        assert not delivery.bridge(seconds)
        delivery.put(delta("a"))
        clock.now += 0.01

    assert delivery.bridge(seconds)


@pytest.mark.parametrize("reading", [GAP / 2, 2 * GAP, 10 * GAP])
async def test_a_slow_reader_gets_all_of_it_and_makes_the_writer_wait(reading: float) -> None:
    stage = Stage()

    async def writing() -> None:
        await stage.write(repeat(GAP, 100))
        for _ in range(200):
            await stage.write([GAP])
            stage.delivery.bridge(STALL)
        await stage.change()
        await stage.write(repeat(GAP / 10, 300))

    await stage.play(writing(), [reading])

    assert stage.most_held <= ROOM


async def test_a_reader_that_stopped_for_a_while_gets_what_has_become_due_at_once() -> None:
    stage, delays = Stage(), [*repeat(0.0, 50), 25 * GAP, *repeat(0.0, 1000)]

    async def writing() -> None:
        await stage.write(repeat(GAP, 20))
        for _ in range(200):
            await stage.write([GAP])
            stage.delivery.bridge(STALL)

    await stage.play(writing(), delays)

    assert stage.got[51][0] == pytest.approx(stage.got[50][0] + 25 * GAP)
    assert 20 <= stage.got[51][1].count(b"\n\n") <= 25


async def test_a_reader_that_makes_the_writer_wait_does_not_make_it_a_slow_one() -> None:
    stage = Stage()

    async def writing() -> None:
        await stage.write(repeat(10 * GAP, 30), size=10)
        await stage.collect(repeat(10 * GAP), size=10)
        await stage.write(repeat(10 * GAP, 30), size=10)

    await stage.play(writing(), [*repeat(5.0, 8), *repeat(0.0, 1000)])

    assert max(stage.seen(stage.got[12][0])) < 1.2 * GAP


async def test_the_writer_waits_while_nobody_reads_and_goes_on_when_somebody_does() -> None:
    delivery = Delivery(FakeClock())

    async def write() -> None:
        for _ in range(20):
            delivery.put(delta("a") * 2)
            await delivery.room()

    writer = asyncio.create_task(write())
    await asyncio.sleep(0)
    assert delivery.held == 32

    assert await delivery.next() == delta("a") * 32
    await writer
    assert delivery.held == 8


async def test_what_goes_wrong_is_told_after_all_that_came_before() -> None:
    stage, error = Stage(), StreamBrokenError("box", "closed the connection")

    async def writing() -> None:
        await stage.write(repeat(GAP, 20))
        for _ in range(60):
            await stage.write([GAP])
            assert not stage.delivery.bridge(STALL)
        assert stage.delivery.held > 3
        stage.delivery.close(error)
        ended.append(stage.time.clock())

    async def read() -> None:
        while True:
            stage.got.append((0.0, await stage.delivery.next()))

    ended: list[float] = []
    with pytest.raises(StreamBrokenError) as caught:
        await stage.time.run(writing(), read())

    assert caught.value is error
    assert [block for _, block in stage.got[:20]] == [block for _, block in stage.sent[:20]]
    stage.check()
    assert stage.time.clock() <= ended[0] + 1.1 * GAP


@pytest.mark.parametrize("ended", [True, False])
async def test_the_rest_is_due_at_once_after_the_end(ended: bool) -> None:
    clock, pauses = FakeClock(), []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    delivery = Delivery(clock, pause)
    for _ in range(5):
        delivery.put(delta("a"))
        clock.advance(GAP)
    await delivery.next()
    delivery.bridge(STALL)
    delivery.put(delta("b") * 2)
    assert await delivery.next() == delta("b")
    delivery.put(DONE if ended else delta("c"))

    assert await delivery.next() == delta("b") + (DONE if ended else b"")
    assert bool(pauses) is not ended


async def test_nothing_is_held_back_once_the_end_is_known() -> None:
    stage = Stage()

    async def writing() -> None:
        await stage.collect(repeat(GAP))
        stage.say(delta(finish_reason="stop") + DONE)
        await stage.time.sleep(2 * GAP)
        assert stage.delivery.held == 0

    await stage.play(writing())

    assert stage.got[-1][1].endswith(DONE)
    assert stage.got[-1][1].count(b"\n\n") > NEEDED


async def test_after_the_end_there_is_nothing_however_often_one_asks() -> None:
    delivery = Delivery(FakeClock())
    delivery.put(DONE)

    assert [await delivery.next() for _ in range(3)] == [DONE, b"", b""]


async def test_an_empty_block_is_no_event() -> None:
    delivery = Delivery(FakeClock())
    delivery.put(delta("a"))
    delivery.put(b"")
    assert delivery.held == 1
    delivery.put(DONE)

    assert await delivery.next() == delta("a") + DONE


async def test_a_reader_that_waits_wakes_when_something_comes_and_when_it_ends() -> None:
    delivery = Delivery(FakeClock())
    comes: dict[bytes, Callable[[], None]] = {delta("a"): lambda: delivery.put(delta("a")), b"": delivery.close}
    for told, come in comes.items():
        reader = asyncio.create_task(delivery.next())
        await asyncio.sleep(0)
        assert not reader.done()
        come()

        assert await reader == told


async def test_a_reader_that_is_cancelled_takes_nothing_with_it() -> None:
    stage = Stage()

    async def writing() -> None:
        await stage.collect(repeat(GAP))
        await stage.change()
        stage.say(DONE)

    async def read() -> None:
        while not stage.got or not stage.got[-1][1].endswith(DONE):
            reader = asyncio.create_task(stage.delivery.next())
            await stage.time.sleep(GAP / 4)
            reader.cancel()
            with suppress(asyncio.CancelledError):
                stage.got.append((stage.time.clock(), await reader))

    await stage.time.run(writing(), read())

    stage.check()


STEPS = st.sampled_from(["write", "bridge", "changing", "changed"])
SECONDS = st.sampled_from([0.0, 0.0004, 0.01, 0.011, 0.05, 1.0])
BLOCKS = st.lists(st.sampled_from([delta("a"), delta("\n\nb"), b": comment\n\n", b"data: {}\n\n"]), max_size=70)


@given(
    st.lists(st.tuples(STEPS, SECONDS, BLOCKS), max_size=30),
    st.lists(SECONDS, min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from([0.0, 0.003, -0.0005]),
)
async def test_all_comes_out_once_and_in_order_whatever_happens_when(
    steps: list[tuple[str, float, list[bytes]]], delays: list[float], whole: bool, oversleeps: float
) -> None:
    stage = Stage(oversleeps=oversleeps)
    turns: dict[str, Callable[[], Any]] = {
        "write": lambda: None,
        "bridge": lambda: stage.delivery.bridge(STALL),
        "changing": stage.delivery.changing,
        "changed": stage.delivery.changed,
    }

    async def writing() -> None:
        for number, (step, seconds, events) in enumerate(steps):
            turns[step]()
            await stage.time.sleep(seconds)
            stage.say(b"".join(events) + b": %d\n\n" % number)
            await stage.delivery.room()
        if whole:
            stage.say(DONE)

    await stage.play(writing(), delays)

    assert stage.most_held <= 256 + 71
    assert stage.delivery.held == 0


async def test_it_pauses_on_the_running_loop() -> None:
    clock = FakeClock()
    delivery = Delivery(clock)
    for _ in range(5):
        delivery.put(delta("a"))
        clock.advance(0.001)
    await delivery.next()
    assert not delivery.bridge(0.01)
    delivery.put(delta("b") + delta("c") + delta("d"))

    assert [await delivery.next() for _ in range(3)] == [delta("b"), delta("c"), delta("d")]


# --- what is held for its judgement


class Held:
    """A delivery that holds some of what comes, and somebody who takes what is due."""

    def __init__(self, hold_tokens: int, hold_seconds: float) -> None:
        self.clock = FakeClock()
        self.delivery = Delivery(self.clock, self.wait, hold_tokens=hold_tokens, hold_seconds=hold_seconds)
        self.got = b""

    async def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def take(self) -> bytes:
        """What is due now, if anything is."""
        taking = asyncio.ensure_future(self.delivery.next())
        for _ in range(4):
            await asyncio.sleep(0)
        if not taking.done():
            taking.cancel()
            await asyncio.wait([taking])
            return b""
        self.got += taking.result()
        return taking.result()


async def test_the_last_events_are_held_and_those_before_them_are_due() -> None:
    held = Held(2, 10.0)
    words = [delta(str(number)) for number in range(5)]
    held.delivery.put(b"".join(words[:2]))
    assert await held.take() == b""

    held.delivery.put(b"".join(words[2:]))
    assert await held.take() == b"".join(words[:3])
    assert await held.take() == b""
    assert held.delivery.unsent() == words[3:]


async def test_nothing_is_held_longer_than_it_may() -> None:
    held = Held(8, 1.0)
    held.delivery.put(delta("a"))
    held.clock.advance(0.6)
    held.delivery.put(delta("b"))
    held.clock.advance(0.3)
    assert await held.take() == b""

    held.clock.advance(0.2)
    assert await held.take() == delta("a")
    assert await held.take() == b""

    held.clock.advance(0.5)
    assert await held.take() == delta("b")


async def test_the_time_of_what_is_held_is_waited_for_and_not_looked_for_again_and_again() -> None:
    delivery = Delivery(asyncio.get_running_loop().time, hold_tokens=8, hold_seconds=0.02)
    delivery.put(delta("a"))

    async with asyncio.timeout(5):
        assert await delivery.next() == delta("a")


async def test_all_of_an_answer_that_ends_before_it_began_is_held_until_it_is_judged() -> None:
    held = Held(1, 10.0)
    held.delivery.ending = True
    held.delivery.put(delta("a") + delta("b") + delta(finish_reason="stop"))
    assert await held.take() == b""

    held.delivery.put(DONE)
    assert await held.take() == delta("a") + delta("b") + delta(finish_reason="stop") + DONE


async def test_what_ends_after_it_began_is_held_as_before() -> None:
    held = Held(1, 10.0)
    held.delivery.put(delta("a") + delta("b"))
    assert await held.take() == delta("a")

    held.delivery.ending = True
    held.delivery.put(delta("c") + delta(finish_reason="stop"))
    assert await held.take() == delta("b") + delta("c")


async def test_an_error_comes_after_what_was_held_and_what_was_taken_back_never() -> None:
    held = Held(4, 10.0)
    held.delivery.put(delta("a") + delta("b"))
    held.delivery.take_back(1)
    held.delivery.close(StreamBrokenError("box", "fell over"))

    assert await held.take() == delta("a")
    with pytest.raises(StreamBrokenError):
        await held.delivery.next()


STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(1, 6)),
    st.tuples(st.just("take"), st.just(0)),
    st.tuples(st.just("take back"), st.integers(0, 6)),
    st.tuples(st.just("pass"), st.integers(1, 30)),
    st.tuples(st.just("end"), st.just(0)),
)


@given(st.lists(STEPS, max_size=40), st.integers(0, 10), st.sampled_from([0.05, 1.0]))
def test_whatever_happens_events_come_once_in_order_and_what_was_taken_back_never_does(
    steps: list[tuple[str, int]], hold_tokens: int, hold_seconds: float
) -> None:
    async def happen() -> None:
        held, numbers, expected = Held(hold_tokens, hold_seconds), itertools.count(), list[bytes]()
        for step, size in steps:
            if step == "put":
                words = [delta(str(next(numbers))) for _ in range(size)]
                expected.extend(words)
                held.delivery.put(b"".join(words))
            elif step == "take back":
                size = min(size, held.delivery.held)
                assert held.delivery.unsent() == expected[len(expected) - held.delivery.held :]
                held.delivery.take_back(size)
                del expected[len(expected) - size :]
            elif step == "pass":
                held.clock.advance(size / 10)
            elif step == "end":
                held.delivery.ending = True
            else:
                await held.take()
            assert b"".join(expected).startswith(held.got)
        held.delivery.put(DONE)
        while held.delivery.held:
            await held.take()
        assert held.got == b"".join(expected) + DONE

    asyncio.run(happen())


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.integers(1, 10))
def test_nothing_of_the_held_beginning_comes_out_before_there_is_more(sizes: list[int], hold_tokens: int) -> None:
    async def happen() -> None:
        held, put = Held(hold_tokens, 10.0), 0
        for size in sizes:
            held.delivery.put(delta("a") * size)
            put += size
            await held.take()
            assert held.got == delta("a") * max(put - hold_tokens, 0)

    asyncio.run(happen())
