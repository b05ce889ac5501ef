"""One thread for all sensors, and another when one of them hangs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.thermal.poller import Poller
from app.thermal.reader import PATIENCE_SECONDS, Reader
from tests.fakes.clock import FakeClock
from tests.fakes.sensor import ScriptedSensor, sensor


class Bench:
    """A reader with so many sensors. Its clock stands still: what is due again is so because it was told to hurry."""

    def __init__(self, count: int = 1, **settings: Any) -> None:
        self.clock = FakeClock()
        self.reader = Reader(self.clock)
        self.sensors: list[ScriptedSensor] = [sensor(**settings) for _ in range(count)]
        self.pollers = [Poller(each, each.settings, self.clock) for each in self.sensors]
        self.before = set(threading.enumerate())

    @contextmanager
    def running(self) -> Iterator[None]:
        try:
            for poller in self.pollers:
                self.reader.add(poller)
            yield
        finally:
            self.reader.stop()
            for each in self.sensors:
                each.gate.set()
            for thread in self.threads():
                thread.join(5)
            assert self.threads() == []

    def threads(self) -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread not in self.before]

    def again(self, index: int = 0) -> None:
        """Make that one due, and have it seen."""
        self.pollers[index].pace(busy=False)
        self.pollers[index].pace(busy=True)
        self.reader.look()


def test_all_sensors_are_read_at_once_in_one_thread_that_keeps_nobody_from_ending() -> None:
    bench = Bench(3)
    with bench.running():
        for each in bench.sensors:
            each.until_read(1)

        (thread,) = bench.threads()
        assert thread.daemon


def test_one_that_hurries_is_read_without_waiting_out_its_interval() -> None:
    bench = Bench(2, idle_seconds=3600, busy_seconds=1800)
    with bench.running():
        for each in bench.sensors:
            each.until_read(1)
        bench.again(1)
        bench.sensors[1].until_read(2)

        assert bench.sensors[0].reads == 1


def test_while_one_hangs_another_thread_reads_the_others() -> None:
    bench = Bench(2)
    bench.sensors[0].gate.clear()
    with bench.running():
        bench.sensors[0].until_begun(1)
        assert bench.sensors[1].begun == 0
        bench.clock.advance(PATIENCE_SECONDS * 2)
        bench.reader.look()
        bench.sensors[1].until_read(1)

        assert len(bench.threads()) == 2
        assert bench.sensors[0].begun == 1


def test_a_little_patience_is_had_before() -> None:
    bench = Bench(2)
    bench.sensors[0].gate.clear()
    with bench.running():
        bench.sensors[0].until_begun(1)
        bench.clock.advance(PATIENCE_SECONDS / 2)
        bench.reader.look()

        assert len(bench.threads()) == 1


def test_one_that_comes_back_is_read_again_with_the_others_by_one_thread() -> None:
    bench = Bench(2, idle_seconds=3600, busy_seconds=1800)
    bench.sensors[0].gate.clear()
    with bench.running():
        bench.sensors[0].until_begun(1)
        hung = bench.threads()[0]
        bench.clock.advance(PATIENCE_SECONDS * 2)
        bench.reader.look()
        bench.sensors[1].until_read(1)
        bench.sensors[0].gate.set()
        hung.join(5)
        assert not hung.is_alive()
        bench.again(0)
        bench.sensors[0].until_read(2)

        assert len(bench.threads()) == 1


def test_one_that_is_removed_is_closed_and_read_no_more_while_others_are() -> None:
    bench = Bench(2, idle_seconds=3600, busy_seconds=1800)
    with bench.running():
        for each in bench.sensors:
            each.until_read(1)
        bench.reader.remove(bench.pollers[0])
        bench.again(0)
        bench.again(1)
        bench.sensors[1].until_read(2)

        assert bench.sensors[0].reads == 1
        assert len(bench.sensors[0].closed_by) == 1


def test_without_sensors_there_is_no_thread() -> None:
    bench = Bench(0)
    with bench.running():
        bench.reader.look()
        assert bench.threads() == []
