"""Work goes where there is room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.decision import Verdict
from app.routing.rules.least_busy import judge
from app.routing.weights import FULL, ORDER_PLACE, TIER
from tests.app.builders import candidate, conditions, job


def penalty(verdict: Verdict | None) -> float:
    return 0.0 if verdict is None else verdict.penalty


def test_an_idle_backend_is_free() -> None:
    assert judge(job(), candidate(busy=0), conditions()) is None


def test_the_share_of_places_taken_counts_not_their_number() -> None:
    half_of_many = judge(job(), candidate(busy=8, concurrency=16), conditions())
    all_but_one = judge(job(), candidate(busy=3, concurrency=4), conditions())

    assert penalty(half_of_many) < penalty(all_but_one)


def test_a_line_is_told_with_its_length_and_the_wait() -> None:
    verdict = judge(job(), candidate(busy=2, concurrency=2, ahead=3, wait_seconds=12.4), conditions())

    assert verdict is not None
    assert verdict.reason == "all 2 places taken, 3 ahead: about 12 s"


def test_a_wait_that_nobody_knows_is_told_so() -> None:
    verdict = judge(job(), candidate(busy=2, concurrency=2, ahead=3, wait_seconds=None), conditions())

    assert verdict is not None
    assert verdict.reason == "all 2 places taken, 3 ahead: nobody knows how long"


@given(st.integers(1, 64), st.data())
def test_more_work_never_makes_a_backend_more_attractive(places: int, data: st.DataObject) -> None:
    busy = data.draw(st.integers(0, places))
    full = busy == places
    ahead = data.draw(st.integers(0, 50)) if full else 0
    later = candidate(busy=busy + (not full), concurrency=places, ahead=ahead + full)

    now = penalty(judge(job(), candidate(busy=busy, concurrency=places, ahead=ahead), conditions()))

    assert now < penalty(judge(job(), later, conditions()))


@given(st.integers(1, 64), st.integers(0, 50))
def test_free_places_cost_less_than_one_tier_and_waiting_more_than_one_and_a_place_of_the_order(
    places: int, ahead: int
) -> None:
    free = candidate(busy=places - 1, concurrency=places)
    full = candidate(busy=places, concurrency=places, ahead=ahead)

    assert penalty(judge(job(), free, conditions())) < TIER
    assert penalty(judge(job(), full, conditions())) > TIER + ORDER_PLACE


def test_each_round_of_the_line_costs_as_much_as_having_no_place() -> None:
    waiting = candidate(busy=2, concurrency=2, ahead=4)

    assert penalty(judge(job(), waiting, conditions())) == FULL + 2 * FULL


def test_no_line_is_a_reason_to_reject() -> None:
    verdict = judge(job(), candidate(busy=1, concurrency=1, ahead=100), conditions())

    assert verdict is not None
    assert not verdict.reject
