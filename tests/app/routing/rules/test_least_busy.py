"""Work goes where there is room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.decision import Verdict
from app.routing.rules.least_busy import judge
from tests.app.builders import candidate, job


def penalty(verdict: Verdict | None) -> float:
    return 0.0 if verdict is None else verdict.penalty


def test_an_idle_backend_is_free() -> None:
    assert judge(job(), candidate(busy=0)) is None


def test_the_share_of_places_taken_counts_not_their_number() -> None:
    half_of_many = judge(job(), candidate(busy=8, concurrency=16))
    all_but_one = judge(job(), candidate(busy=3, concurrency=4))

    assert penalty(half_of_many) < penalty(all_but_one)


def test_a_line_is_told_with_its_length() -> None:
    verdict = judge(job(), candidate(busy=2, concurrency=2, waiting=3))

    assert verdict is not None
    assert verdict.reason == "all 2 places taken, 3 waiting"


@given(st.integers(1, 64), st.data())
def test_more_work_never_makes_a_backend_more_attractive(places: int, data: st.DataObject) -> None:
    busy = data.draw(st.integers(0, places))
    waiting = data.draw(st.integers(0, 50)) if busy == places else 0

    now = penalty(judge(job(), candidate(busy=busy, concurrency=places, waiting=waiting)))
    full = busy == places
    later = penalty(
        judge(job(), candidate(busy=busy + (not full), concurrency=places, waiting=waiting + full)),
    )

    assert now < later


@given(st.integers(1, 64), st.integers(0, 50))
def test_free_places_cost_less_than_one_tier_and_waiting_costs_more(places: int, waiting: int) -> None:
    assert penalty(judge(job(), candidate(busy=places - 1, concurrency=places))) < 1
    assert penalty(judge(job(), candidate(busy=places, concurrency=places, waiting=waiting))) > 1


def test_no_line_is_a_reason_to_reject() -> None:
    verdict = judge(job(), candidate(busy=1, concurrency=1, waiting=100))

    assert verdict is not None
    assert not verdict.reject
