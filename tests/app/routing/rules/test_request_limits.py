"""What a request allows."""

from __future__ import annotations

import pytest

from app.domain.backend import Candidate, Learned
from app.domain.decision import Precedence, Verdict
from app.domain.job import Wishes
from app.routing.rules.request_limits import judge
from tests.app.builders import candidate, conditions, job

_PACE = Learned(first_token_seconds=0.5, tokens_per_second=10, tokens=20)


def rejection(wishes: Wishes, of: Candidate, *, stream: bool = False, max_tokens: int | None = None) -> Verdict:
    verdict = judge(job(wishes=wishes, stream=stream, max_tokens=max_tokens), of, conditions())
    assert verdict is not None
    assert verdict.reject
    assert verdict.precedence is Precedence.REQUEST
    assert verdict.param is None
    return verdict


def test_a_request_without_wishes_takes_any_backend() -> None:
    assert judge(job(), candidate(watts=900), conditions()) is None


def test_a_request_that_names_a_backend_gets_that_one() -> None:
    wishes = Wishes(target="x")

    assert judge(job(wishes=wishes), candidate("x"), conditions()) is None
    assert rejection(wishes, candidate("y")).reason == "the request asks for backend 'x'"


def test_the_watts_of_a_request_are_a_limit() -> None:
    wishes = Wishes(max_watts=20)
    verdict = rejection(wishes, candidate(watts=55))

    assert judge(job(wishes=wishes), candidate(watts=20), conditions()) is None
    assert verdict.reason == "the request allows 20 W, it draws 55"
    assert verdict.penalty == pytest.approx(1.75)


def test_a_stream_may_take_so_long_until_its_first_token() -> None:
    asked = job(wishes=Wishes(max_latency_seconds=0.5), stream=True)
    waiting = candidate(learned=_PACE, wait_seconds=1.0)

    assert judge(asked, candidate(learned=_PACE), conditions()) is None
    assert rejection(asked.wishes, waiting, stream=True).reason == "the request allows 0.5 s, it takes about 1.5"


def test_a_whole_answer_may_take_so_long_until_its_end() -> None:
    wishes = Wishes(max_latency_seconds=2)

    assert rejection(wishes, candidate(learned=_PACE)).penalty == pytest.approx(0.25)
    assert judge(job(wishes=wishes, max_tokens=15), candidate(learned=_PACE), conditions()) is None


def test_what_nobody_knows_is_not_over_a_limit() -> None:
    wishes = Wishes(max_watts=1, max_latency_seconds=0.001)

    assert judge(job(wishes=wishes), candidate(), conditions()) is None


def test_all_limits_that_are_broken_are_named_and_add_up() -> None:
    verdict = rejection(Wishes(target="x", max_watts=20), candidate("y", watts=30))

    assert verdict.reason == "the request asks for backend 'x', allows 20 W, it draws 30"
    assert verdict.penalty == pytest.approx(1.5)
