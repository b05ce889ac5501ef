"""Tests of a verifier's word."""

from __future__ import annotations

from app.confidence.exchange import Exchange
from app.confidence.signals.verifier import verifier


def test_the_verdict_is_passed_on() -> None:
    assert verifier(Exchange("Who?", "Ada.", verdict=0.25)) == {"verifier": 0.25}


def test_a_verifier_that_finds_it_impossible_is_not_one_that_was_not_asked() -> None:
    assert verifier(Exchange("Who?", "Ada.", verdict=0.0)) == {"verifier": 0.0}


def test_without_a_verifier_nothing_is_told() -> None:
    assert verifier(Exchange("Who?", "Ada.")) == {}
