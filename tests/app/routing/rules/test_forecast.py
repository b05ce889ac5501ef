"""Answers end before it gets too hot."""

from __future__ import annotations

import pytest

from app.domain.backend import Candidate, Learned
from app.domain.decision import Precedence
from app.domain.thermal import Forecast
from app.routing.rules.forecast import judge
from tests.app.builders import candidate, conditions, job, zone

# 65 °C and rising by 1 °C a second: 20 s until 85.
_RISING = zone(celsius=65, forecast=Forecast(at=0, celsius=65, per_second=1))
_SLOW = Learned(first_token_seconds=2, tokens_per_second=10, tokens=580)


def rising(learned: Learned = _SLOW, wait_seconds: float = 0.0) -> Candidate:
    return candidate(zone=_RISING, learned=learned, wait_seconds=wait_seconds)


def test_a_long_answer_is_not_begun_where_it_would_get_too_hot_before_its_end() -> None:
    verdict = judge(job(), rising(), conditions())

    assert verdict is not None
    assert verdict.reject
    assert verdict.precedence is Precedence.DEFAULT
    assert verdict.reason == "would reach 85 °C in about 20 s, the answer takes about 60 s"
    assert verdict.penalty == pytest.approx(2.0)


def test_a_short_answer_is_begun() -> None:
    assert judge(job(max_tokens=180), rising(), conditions()) is None


def test_the_wait_for_a_place_counts() -> None:
    assert judge(job(max_tokens=180), rising(wait_seconds=0.5), conditions()) is not None


def test_a_stream_is_as_long_as_a_whole_answer() -> None:
    assert judge(job(stream=True), rising(), conditions()) is not None


def test_an_answer_of_unknown_length_is_begun() -> None:
    assert judge(job(), rising(Learned(first_token_seconds=2)), conditions()) is None


@pytest.mark.parametrize(
    "heated",
    [
        None,
        zone(celsius=65),
        zone(celsius=65, forecast=Forecast(at=0, celsius=65, per_second=-1)),
        zone(celsius=65, forecast=Forecast(at=0, celsius=65, per_second=1, target=80, tau=15)),
    ],
)
def test_what_never_gets_too_hot_as_far_as_anybody_knows_takes_any_answer(heated: object) -> None:
    assert judge(job(), candidate(zone=heated, learned=_SLOW), conditions()) is None
