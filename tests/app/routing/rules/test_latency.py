"""What answers sooner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Learned
from app.domain.decision import Verdict
from app.domain.job import Job, Wishes, Workload
from app.routing.rules.latency import judge
from app.routing.weights import LEARNED, TIER, WISHED
from tests.app.builders import candidate, conditions, job

_HURRY = job(wishes=Wishes(latency_critical=True), stream=True)


def learned(seconds: float, asked: Job = _HURRY) -> Verdict:
    verdict = judge(asked, candidate(learned=Learned(first_token_seconds=seconds)), conditions())
    assert verdict is not None
    assert not verdict.reject
    return verdict


@pytest.mark.parametrize("asked", [_HURRY, job(workload=Workload.REALTIME, stream=True)])
def test_a_job_in_a_hurry_weighs_what_was_learned(asked: Job) -> None:
    assert learned(1, asked).penalty == pytest.approx(WISHED / 2)
    assert learned(3, asked).penalty == pytest.approx(WISHED * 3 / 4)


def test_an_ordinary_job_heeds_it_only_where_all_else_is_equal() -> None:
    assert 0 < learned(1000, job(stream=True)).penalty < LEARNED < TIER


@given(st.floats(0, 1e4), st.floats(0.001, 1e4))
def test_slower_is_never_better(seconds: float, more: float) -> None:
    assert learned(seconds).penalty <= learned(seconds + more).penalty


def test_the_unknown_stands_in_the_middle_for_a_job_in_a_hurry() -> None:
    verdict = judge(_HURRY, candidate(), conditions())

    assert verdict is not None
    assert verdict.penalty == WISHED / 2


def test_an_ordinary_job_has_no_opinion_of_the_unknown() -> None:
    assert judge(job(), candidate(), conditions()) is None


def test_a_whole_answer_takes_until_its_end() -> None:
    told = candidate(learned=Learned(first_token_seconds=0.5, tokens_per_second=10, tokens=95))
    whole = judge(job(), told, conditions())

    assert whole is not None
    assert whole.reason == "the answer takes about 10 s"
    assert learned(0.25).reason == "the first token takes about 0.25 s"


def test_the_wait_for_a_place_counts() -> None:
    waiting = candidate(learned=Learned(first_token_seconds=1), wait_seconds=2.0)
    verdict = judge(_HURRY, waiting, conditions())

    assert verdict is not None
    assert verdict.penalty == learned(3).penalty
