"""Which slot an answer gets: one that remembers its beginning, one that was not used for long, none."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from app.domain.backend import Capability
from app.domain.job import Job
from backends.llamacpp_slots import Slots

LONG = "word " * 1000


def asked(*turns: str) -> Job:
    messages = [{"role": "user", "content": turn} for turn in turns]
    return Job("1", Capability.CHAT, "m", {"model": "m", "messages": messages})


def slot_of(slots: Slots, job: Job) -> int | None:
    with slots.running(job) as slot:
        return slot


def test_a_conversation_goes_back_to_where_it_was() -> None:
    slots = Slots(3)
    first, other = slot_of(slots, asked(LONG)), slot_of(slots, asked("x" * 3000))
    slot_of(slots, asked("y"))

    assert slot_of(slots, asked(LONG, "and then?")) == first
    assert slot_of(slots, asked("x" * 3000, "and then?")) == other
    assert first != other


def test_the_longest_beginning_wins() -> None:
    slots = Slots(2)
    with slots.running(asked(LONG)) as short, slots.running(asked(LONG, LONG)) as long:
        assert short != long

    assert slot_of(slots, asked(LONG, LONG, "more")) == long


def test_a_new_conversation_takes_the_slot_that_was_not_used_for_longest() -> None:
    slots = Slots(3)
    used = [slot_of(slots, asked(str(number) * 600)) for number in range(3)]

    assert sorted(slot for slot in used if slot is not None) == [0, 1, 2]
    assert slot_of(slots, asked("new")) == used[0]
    assert slot_of(slots, asked("newer")) == used[1]


def test_those_that_share_no_more_than_what_the_system_says_are_spread_out() -> None:
    slots = Slots(2)
    first = slot_of(slots, asked(LONG, "a" * 600))

    assert slot_of(slots, asked(LONG, "b" * 600)) == first  # what it remembers of that is worth more
    with slots.running(asked(LONG, "c" * 600)), slots.running(asked(LONG, "d" * 600)) as other:
        assert other != first
    assert slot_of(slots, asked(LONG, "e" * 600)) == first


def test_the_very_same_prompt_goes_where_it_was_read_last() -> None:
    slots = Slots(2)
    with slots.running(asked(LONG)), slots.running(asked(LONG)) as last:
        pass

    assert slot_of(slots, asked(LONG)) == last


def test_a_completion_is_known_by_its_prompt() -> None:
    slots = Slots(2)
    first = slot_of(slots, Job("1", Capability.COMPLETE, "m", {"prompt": LONG}))
    slot_of(slots, Job("1", Capability.COMPLETE, "m", {"prompt": "x" * 600}))

    assert slot_of(slots, Job("1", Capability.COMPLETE, "m", {"prompt": LONG + "more"})) == first


def test_nobody_gets_a_slot_that_is_in_use_or_held() -> None:
    slots, job = Slots(2), asked("a")
    with ExitStack() as stack:
        with slots.running(job) as first:
            assert first is not None
            stack.enter_context(slots.held(first))
        second = stack.enter_context(slots.running(asked("a")))

        assert second not in (first, None)
        assert slot_of(slots, asked("a")) is None
        with slots.any() as slot:
            assert slot is None

    assert slot_of(slots, asked("a")) is not None


def test_a_job_is_found_by_itself_and_not_by_what_it_asks() -> None:
    slots, one, other = Slots(2), asked("a"), asked("a")
    with slots.running(one) as first, slots.running(other) as second:
        assert (slots.of(one), slots.of(other)) == (first, second)
        assert slots.of(asked("a")) is None

    assert slots.of(one) is None


def test_a_slot_is_free_again_after_an_error() -> None:
    slots = Slots(1)
    with pytest.raises(RuntimeError), slots.running(asked("a")):
        raise RuntimeError

    assert slot_of(slots, asked("a")) == 0


def test_without_slots_the_server_decides() -> None:
    assert slot_of(Slots(0), asked("a")) is None
