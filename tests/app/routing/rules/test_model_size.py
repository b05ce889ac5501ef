"""Models that are too large."""

from __future__ import annotations

import pytest

from app.domain.decision import Precedence
from app.routing.rules.model_size import judge
from tests.app.builders import candidate, conditions, job


@pytest.mark.parametrize("name", ["llama3:8b", "llama3:7b", "mystery"])
def test_a_model_that_fits_or_does_not_say_its_size_is_taken(name: str) -> None:
    assert judge(job(), candidate(model=name, max_model_billions=8), conditions()) is None


def test_a_backend_without_a_limit_takes_any() -> None:
    assert judge(job(), candidate(model="llama3:405b"), conditions()) is None


def test_a_model_that_is_too_large_is_rejected_for_good_and_the_field_named() -> None:
    verdict = judge(job(), candidate("npu", "llama3:70b", max_model_billions=8), conditions())

    assert verdict is not None
    assert verdict.reject
    assert verdict.precedence is Precedence.CANNOT
    assert verdict.param == "model"
    assert verdict.reason == "'llama3:70b' has 70 billion parameters, and 'npu' takes 8"
