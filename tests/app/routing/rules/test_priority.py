"""Who may wait, and who may not."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.decision import Verdict
from app.domain.job import Priority
from app.routing.rules.priority import judge
from app.routing.weights import BACKGROUND_TIER, BACKGROUND_WARM, FULL
from tests.app.builders import candidate, conditions, job, zone

_BACKGROUND: list[dict[str, Any]] = [{"background": True}, {"priority": Priority.BEST_EFFORT}]
of_background_work = pytest.mark.parametrize("facts", _BACKGROUND)


def penalty(verdict: Verdict | None) -> float:
    assert verdict is None or not verdict.reject
    return 0.0 if verdict is None else verdict.penalty


@of_background_work
def test_background_work_avoids_big_backends(facts: dict[str, Any]) -> None:
    assert penalty(judge(job(**facts), candidate(tier=0), conditions())) == 0
    assert penalty(judge(job(**facts), candidate(tier=3), conditions())) == 3 * BACKGROUND_TIER


@of_background_work
def test_background_work_avoids_big_models_but_less_than_a_tier(facts: dict[str, Any]) -> None:
    penalties = [
        penalty(judge(job(**facts), candidate(model=name), conditions())) for name in ("x", "x:1b", "x:8b", "x:405b")
    ]

    assert penalties == sorted(penalties)
    assert penalties[2] == pytest.approx(BACKGROUND_TIER / 2)
    assert penalties[3] < BACKGROUND_TIER


@of_background_work
def test_background_work_goes_up_some_tiers_rather_than_heat_what_is_warm(facts: dict[str, Any]) -> None:
    warm = candidate(zone=zone(celsius=71))

    assert penalty(judge(job(**facts), warm, conditions())) == BACKGROUND_WARM > 4 * BACKGROUND_TIER
    assert penalty(judge(job(**facts), candidate(zone=zone(celsius=69)), conditions())) == 0


@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.HIGH, Priority.CRITICAL])
def test_work_that_somebody_waits_for_does_not_mind_what_is_big_or_warm(priority: Priority) -> None:
    big = candidate(model="x:70b", tier=5, zone=zone(celsius=80))

    assert judge(job(priority=priority), big, conditions()) is None


def test_critical_work_avoids_a_line_twice_as_much() -> None:
    asked = job(priority=Priority.CRITICAL)

    assert penalty(judge(asked, candidate(concurrency=2, busy=1), conditions())) == 0
    assert penalty(judge(asked, candidate(concurrency=2, busy=2), conditions())) == FULL
    assert penalty(judge(asked, candidate(concurrency=2, busy=2, ahead=4), conditions())) == 3 * FULL


def test_high_priority_waits_as_others_do() -> None:
    assert judge(job(priority=Priority.HIGH), candidate(concurrency=2, busy=2), conditions()) is None


def test_the_reason_says_what_speaks_against_it() -> None:
    big = candidate(model="x:70b", tier=5, zone=zone(celsius=80))
    verdict = judge(job(background=True), big, conditions())
    critical = judge(job(priority=Priority.CRITICAL), candidate(concurrency=2, busy=2), conditions())

    assert verdict is not None
    assert verdict.reason == "background work should be small and cool; tier 5, 70 billion parameters, a warm zone"
    assert critical is not None
    assert critical.reason == "critical work should not wait for a place"
