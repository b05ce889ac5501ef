"""The smallest backend that can do it is asked first."""

from __future__ import annotations

from app.routing.rules.prefer_tier import judge
from tests.app.builders import candidate, conditions, job


def test_each_tier_costs_as_much_as_its_number() -> None:
    penalties = [verdict.penalty for tier in (1, 2, 9) if (verdict := judge(job(), candidate(tier=tier), conditions()))]

    assert penalties == [1.0, 2.0, 9.0]


def test_the_lowest_tier_is_free() -> None:
    assert judge(job(), candidate(tier=0), conditions()) is None


def test_a_tier_is_no_reason_to_reject() -> None:
    verdict = judge(job(), candidate(tier=9), conditions())

    assert verdict is not None
    assert not verdict.reject
    assert verdict.reason == "tier 9"
