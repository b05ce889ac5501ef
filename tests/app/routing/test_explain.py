"""A decision as a person reads it."""

from __future__ import annotations

from app.domain.decision import Decision, Route, Verdict
from app.routing.explain import explain
from tests.app.builders import candidate

_HEAVY = Verdict("prefer-tier", "tier 2", penalty=2.0)
_BARRED = Verdict("healthy", "connection refused", reject=True)


def test_routes_come_in_the_order_in_which_they_would_be_tried_each_with_its_verdicts() -> None:
    routes = (Route(candidate("eco"), (), 0.0), Route(candidate("max", "large"), (_HEAVY,), 2.5))

    assert explain(Decision(routes)) == (
        "1. eco with small: penalty 0\n"
        "2. max with large: penalty 2.5\n"
        "      prefer-tier   +2       tier 2\n"
    )  # fmt: skip


def test_rejected_backends_come_last_with_the_reason() -> None:
    decision = Decision((Route(candidate("eco"), (), 0.0),), (Route(candidate("ill"), (_HEAVY, _BARRED), 2.0),))

    assert explain(decision).splitlines() == [
        "1. eco with small: penalty 0",
        "-  ill with small: rejected",
        "      prefer-tier   +2       tier 2",
        "      healthy       rejects  connection refused",
    ]


def test_an_empty_decision_says_nothing() -> None:
    assert explain(Decision(())) == ""
