"""Watts that all zones share."""

from __future__ import annotations

import pytest

from app.domain.decision import Precedence
from app.routing.rules.budget import judge
from tests.app.builders import candidate, conditions, job


def test_without_a_budget_all_may_work() -> None:
    assert judge(job(), candidate(watts=900), conditions(watts_left=None)) is None


def test_what_fits_into_what_is_left_may_work() -> None:
    assert judge(job(), candidate(watts=55), conditions(watts_left=55)) is None


def test_what_does_not_fit_is_not_woken() -> None:
    verdict = judge(job(), candidate(watts=55), conditions(watts_left=11))

    assert verdict is not None
    assert verdict.reject
    assert verdict.precedence is Precedence.MODE
    assert verdict.reason == "the budget has 11 W left, it draws 55"
    assert verdict.penalty == pytest.approx(4.0)


def test_what_works_already_draws_no_more_for_one_job_more() -> None:
    assert judge(job(), candidate(watts=55, busy=1), conditions(watts_left=1)) is None


def test_unknown_watts_are_not_over_the_budget() -> None:
    assert judge(job(), candidate(watts=None), conditions(watts_left=0)) is None


@pytest.mark.parametrize("left", [0.0, -20.0])
def test_a_budget_that_is_spent_leaves_nothing(left: float) -> None:
    verdict = judge(job(), candidate(watts=4), conditions(watts_left=left))

    assert verdict is not None
    assert verdict.reason == "the budget has 0 W left, it draws 4"
