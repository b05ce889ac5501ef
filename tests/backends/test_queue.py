"""Who is served first where there is a line, and who is not let in."""

from __future__ import annotations

from queue import Full

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.job import Priority
from backends.queue import PriorityQueue

BEST_EFFORT, NORMAL, HIGH, CRITICAL = Priority
AGEING = 30.0

priorities = st.sampled_from(Priority)
arrivals = st.lists(st.tuples(priorities, st.integers(0, 100)), max_size=30)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), priorities, st.integers(0, 40)),
        st.tuples(st.just("pop"), priorities, st.just(0)),
        st.tuples(st.just("remove"), priorities, st.integers(0, 5)),
    ),
    max_size=60,
)


def line(bound: int = 100, *waiting: tuple[str, Priority, float]) -> PriorityQueue[str]:
    made: PriorityQueue[str] = PriorityQueue(bound, AGEING)
    for name, priority, arrival in waiting:
        made.push(name, priority, arrival)
    return made


def served(queue: PriorityQueue[str]) -> list[str]:
    found = []
    while (name := queue.pop()) is not None:
        found.append(name)
    return found


class SortedLine:
    """The same, as slow and plain as can be: every entry is (turn, number, priority), numbered as they came."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.entries: list[tuple[float, int, Priority]] = []

    def push(self, number: int, priority: Priority, now: float) -> int | None:
        displaced = None
        turn = now - AGEING * priority
        if len(self.entries) >= self.bound:
            last = {level: max((e for e in self.entries if e[2] is level), default=None) for level in Priority}
            behind = [e for level, e in last.items() if e is not None and level < priority and e[0] > turn]
            if not behind:
                raise Full
            self.entries.remove(behind[0])
            displaced = behind[0][1]
        self.entries.append((turn, number, priority))
        self.entries.sort()
        return displaced

    def pop(self) -> int | None:
        return self.entries.pop(0)[1] if self.entries else None


def test_the_more_urgent_are_served_first_and_within_a_priority_who_came_first() -> None:
    queue = line(
        100,
        ("a", NORMAL, 0),
        ("b", CRITICAL, 0),
        ("c", BEST_EFFORT, 0),
        ("d", HIGH, 0),
        ("e", NORMAL, 0),
        ("f", CRITICAL, 0),
    )

    assert served(queue) == ["b", "f", "d", "a", "e", "c"]


def test_who_has_waited_for_the_ageing_time_goes_before_one_priority_higher_that_comes_now() -> None:
    assert served(line(9, ("old", NORMAL, 0), ("new", HIGH, 29))) == ["new", "old"]
    assert served(line(9, ("old", NORMAL, 0), ("new", HIGH, 30))) == ["old", "new"]
    assert served(line(9, ("old", BEST_EFFORT, 0), ("new", CRITICAL, 89))) == ["new", "old"]
    assert served(line(9, ("old", BEST_EFFORT, 0), ("new", CRITICAL, 90))) == ["old", "new"]


@given(arrivals)
def test_they_are_served_by_arrival_less_the_ageing_time_for_each_priority(coming: list[tuple[Priority, int]]) -> None:
    queue: PriorityQueue[int] = PriorityQueue(100, AGEING)
    turns, now = [], 0.0
    for number, (priority, gap) in enumerate(coming):
        now += gap
        assert queue.push(number, priority, now) is None
        turns.append((now - AGEING * priority, number))

    order = [queue.pop() for _ in coming]

    assert order == [number for _, number in sorted(turns)]
    assert queue.pop() is None


@given(arrivals)
def test_nobody_starves_whatever_comes_after(coming: list[tuple[Priority, int]]) -> None:
    queue = line(100, ("patient", BEST_EFFORT, 0))
    now = 0.0
    for number, (priority, gap) in enumerate(coming):
        now += gap
        queue.push(str(number), priority, now)
        if now >= 3 * AGEING:
            break

    order = served(queue)

    late = str(len(order) - 2)  # the last that came
    assert now < 3 * AGEING or order.index("patient") < order.index(late)


@given(st.integers(0, 5), steps)
def test_it_does_what_a_sorted_list_does(bound: int, steps: list[tuple[str, Priority, int]]) -> None:
    queue: PriorityQueue[int] = PriorityQueue(bound, AGEING)
    plain = SortedLine(bound)
    now = 0.0
    for number, (step, priority, amount) in enumerate(steps):
        if step == "push":
            now += amount
            ahead = queue.ahead(priority, now)
            assert ahead == sum(turn <= now - AGEING * priority for turn, _, _ in plain.entries)
            try:
                expected = plain.push(number, priority, now)
            except Full:
                with pytest.raises(Full):
                    queue.push(number, priority, now)
            else:
                assert queue.push(number, priority, now) == expected
                assert [entry[1] for entry in plain.entries].index(number) == ahead
        elif step == "pop":
            assert queue.pop() == plain.pop()
        elif amount < len(plain.entries):
            queue.remove(plain.entries.pop(amount)[1])
        assert len(queue) == len(plain.entries) <= bound
        assert queue.counts() == {
            level: sum(entry[2] is level for entry in plain.entries) for level in reversed(Priority)
        }


def test_who_leaves_is_neither_counted_nor_served() -> None:
    queue = line(3, ("a", NORMAL, 0), ("b", NORMAL, 1), ("c", HIGH, 2))

    queue.remove("a")
    queue.remove("a")
    queue.remove("never there")

    assert len(queue) == 2
    assert queue.ahead(NORMAL, 3) == 2
    assert served(queue) == ["c", "b"]


def test_a_newcomer_counts_those_before_it_the_aged_ones_too() -> None:
    queue = line(9, ("a", BEST_EFFORT, 0), ("b", BEST_EFFORT, 50), ("c", NORMAL, 50), ("d", CRITICAL, 50))

    assert [queue.ahead(priority, 60) for priority in Priority] == [4, 3, 2, 1]
    assert [queue.ahead(priority, 90) for priority in Priority] == [4, 4, 3, 2]


def test_a_full_line_turns_away_who_is_no_more_urgent() -> None:
    queue = line(2, ("a", NORMAL, 0), ("b", HIGH, 0))

    for priority in (BEST_EFFORT, NORMAL):
        with pytest.raises(Full):
            queue.push("c", priority, 1)

    assert served(queue) == ["b", "a"]


def test_in_a_full_line_the_last_of_the_lowest_priority_goes_for_who_is_more_urgent() -> None:
    queue = line(3, ("a", NORMAL, 0), ("b", NORMAL, 1), ("c", HIGH, 2))

    assert queue.push("d", CRITICAL, 3) == "b"
    assert queue.push("e", HIGH, 3) == "a"

    assert served(queue) == ["d", "c", "e"]


def test_who_has_waited_long_enough_to_go_first_is_not_displaced() -> None:
    queue = line(2, ("patient", BEST_EFFORT, 0), ("other", NORMAL, 80))

    assert queue.push("urgent", CRITICAL, 90) == "other"
    with pytest.raises(Full):
        queue.push("another", NORMAL, 90)

    assert served(queue) == ["patient", "urgent"]


def test_without_room_nobody_waits() -> None:
    with pytest.raises(Full):
        line(0).push("a", CRITICAL, 0)


def test_the_most_urgent_are_counted_first() -> None:
    assert list(line(9, ("a", NORMAL, 0)).counts().items()) == [(CRITICAL, 0), (HIGH, 0), (NORMAL, 1), (BEST_EFFORT, 0)]
