"""A decision as a person reads it."""

from __future__ import annotations

import pytest

from app.domain.decision import Decision, Precedence, Route, Verdict
from app.routing.explain import explain
from tests.app.builders import candidate

_HEAVY = Verdict("prefer-tier", "tier 2", penalty=2.0)
_BARRED = Verdict("healthy", "connection refused", reject=True)


def test_routes_come_in_the_order_in_which_they_would_be_tried_each_with_its_verdicts() -> None:
    routes = (Route(candidate("eco"), (), 0.0), Route(candidate("max", "large"), (_HEAVY,), 2.5))

    assert explain(Decision(routes)) == (
        "1. eco with small: penalty 0\n"
        "2. max with large: penalty 2.5\n"
        "      prefer-tier    +2        tier 2\n"
    )  # fmt: skip


def test_rejected_backends_come_last_with_the_reason() -> None:
    decision = Decision((Route(candidate("eco"), (), 0.0),), (Route(candidate("ill"), (_HEAVY, _BARRED), 2.0),))

    assert explain(decision).splitlines() == [
        "1. eco with small: penalty 0",
        "-  ill with small: rejected",
        "      prefer-tier    +2        tier 2",
        "      healthy        rejects   connection refused",
    ]


def test_an_empty_decision_says_nothing() -> None:
    assert explain(Decision(())) == ""


def test_the_mode_comes_first() -> None:
    assert explain(Decision((Route(candidate("eco"), (), 0.0),), mode="quiet")).splitlines() == [
        "mode quiet",
        "1. eco with small: penalty 0",
    ]


@pytest.mark.parametrize(
    ("relaxed", "line"),
    [
        (Precedence.DEFAULT, "nothing was left, so the defaults gave way"),
        (Precedence.REQUEST, "nothing was left, so the request's limits gave way"),
        (Precedence.MODE, "nothing was left, so the mode's limits gave way"),
    ],
)
def test_limits_that_gave_way_are_named(relaxed: Precedence, line: str) -> None:
    assert explain(Decision((), mode="quiet", relaxed=relaxed)).splitlines() == ["mode quiet", line]


@pytest.mark.parametrize(
    ("penalty", "told"), [(1266.6666666, "1266.67"), (1e6, "1000000"), (0.333, "0.33"), (3.0, "3")]
)
def test_penalties_are_round_and_written_out(penalty: float, told: str) -> None:
    assert explain(Decision((Route(candidate("eco"), (), penalty),))) == f"1. eco with small: penalty {told}\n"
