"""What needs less energy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Learned
from app.domain.decision import Verdict
from app.domain.job import Wishes
from app.routing.rules.energy import judge
from app.routing.weights import LEARNED, TIER, WISHED
from tests.app.builders import candidate, conditions, job

_THRIFTY = job(wishes=Wishes(power_efficient=True))


def thrifty(**facts: Any) -> Verdict:
    verdict = judge(_THRIFTY, candidate(**facts), conditions())
    assert verdict is not None
    assert not verdict.reject
    return verdict


def test_a_thrifty_job_weighs_the_joules_of_a_token() -> None:
    verdict = thrifty(learned=Learned(joules_per_token=3.0))

    assert verdict.penalty == pytest.approx(WISHED * 3 / 4)
    assert verdict.reason == "a token takes about 3 J"


def test_an_ordinary_job_heeds_them_only_where_all_else_is_equal() -> None:
    verdict = judge(job(), candidate(learned=Learned(joules_per_token=1000)), conditions())

    assert verdict is not None
    assert 0 < verdict.penalty < LEARNED < TIER


def test_an_ordinary_job_does_not_guess() -> None:
    assert judge(job(), candidate(watts=55, learned=Learned(tokens_per_second=10)), conditions()) is None


def test_joules_that_nobody_measured_are_watts_by_pace_and_told_as_an_estimate() -> None:
    verdict = thrifty(watts=55, learned=Learned(tokens_per_second=110))

    assert verdict.penalty == pytest.approx(WISHED / 3)
    assert verdict.reason == "a token takes about 0.5 J, estimated"


def test_measured_joules_count_before_estimated_ones() -> None:
    assert thrifty(watts=55, learned=Learned(tokens_per_second=1, joules_per_token=1.0)).penalty == WISHED / 2


def test_without_a_pace_fewer_watts_are_better() -> None:
    assert thrifty(watts=20).penalty == pytest.approx(WISHED / 2)
    assert thrifty(watts=4).penalty < thrifty(watts=12).penalty < thrifty(watts=55).penalty


def test_the_unknown_stands_in_the_middle() -> None:
    assert thrifty().penalty == WISHED / 2


@given(st.floats(0, 1e4), st.floats(0.001, 1e4))
def test_more_energy_is_never_better(joules: float, more: float) -> None:
    less = thrifty(learned=Learned(joules_per_token=joules))

    assert less.penalty <= thrifty(learned=Learned(joules_per_token=joules + more)).penalty
