"""How long a change of backends is reckoned to take."""

from __future__ import annotations

import pytest

from app.domain.handoff import Continuation, Handoff, Reason
from app.relay.stalls import Stalls
from tests.app.builders import lane


def moved(seconds: float | None, continuation: Continuation, result: str = "completed") -> Handoff:
    return Handoff(Reason.HEAT, "too hot", "a", "b", continuation=continuation, stall_seconds=seconds, result=result)


def test_it_is_learned_as_a_running_mean() -> None:
    stalls, (source, _), (target, _) = Stalls(), lane("a"), lane("b")
    for seconds in (0.4, 0.8):
        stalls.learn(moved(seconds, Continuation.PREFILL))

    assert stalls.usual(source, target) == pytest.approx(0.5)


def test_what_waited_failed_or_moved_state_says_nothing_of_other_moves() -> None:
    stalls, (source, _), (target, _) = Stalls(), lane("a"), lane("b")
    stalls.learn(moved(9.0, Continuation.WAIT))
    stalls.learn(moved(9.0, Continuation.PREFILL, "failed"))
    stalls.learn(moved(9.0, Continuation.KV))
    stalls.learn(moved(None, Continuation.PREFILL))

    assert stalls.usual(source, target) == pytest.approx(0.1)


def test_before_that_it_is_what_the_first_token_usually_takes() -> None:
    (source, _), (target, _) = lane("a"), lane("b")
    target.began("small", 1.5)

    assert Stalls().usual(source, target) == pytest.approx(1.5)
