"""Who is ill gets no work."""

from __future__ import annotations

import pytest

from app.domain.backend import Health
from app.routing.rules.healthy import judge
from app.routing.weights import ALIAS_PLACE, TIER
from tests.app.builders import candidate, conditions, job


def test_a_healthy_backend_raises_no_objection() -> None:
    assert judge(job(), candidate(health=Health.CLOSED, ailment="is long over"), conditions()) is None


@pytest.mark.parametrize("health", [Health.OPEN, Health.UNKNOWN])
def test_an_ill_or_unknown_backend_is_rejected_with_what_ails_it(health: Health) -> None:
    verdict = judge(job(), candidate(health=health, ailment="can't be reached"), conditions())

    assert verdict is not None
    assert verdict.reject
    assert verdict.reason == "can't be reached"
    assert verdict.param is None


def test_an_open_breaker_is_a_reason_even_when_nobody_said_why() -> None:
    verdict = judge(job(), candidate(health=Health.OPEN), conditions())

    assert verdict is not None
    assert verdict.reason == "its breaker is open"


def test_a_backend_on_trial_is_the_last_to_be_tried_and_still_is() -> None:
    verdict = judge(job(), candidate(health=Health.HALF_OPEN, ailment="it stalled"), conditions())

    assert verdict is not None
    assert not verdict.reject
    assert verdict.penalty > ALIAS_PLACE + 9 * TIER
    assert "it stalled" in verdict.reason
