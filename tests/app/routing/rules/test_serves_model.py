"""Who has the model, and who has it by choice."""

from __future__ import annotations

from app.domain.backend import ModelPatterns
from app.routing.rules.serves_model import judge
from tests.app.builders import candidate, job

_PICKY = ModelPatterns(preferred=("small*",))


def test_a_backend_without_the_model_is_rejected() -> None:
    verdict = judge(job(), candidate(serves=False))

    assert verdict is not None
    assert verdict.reject
    assert "'small'" in verdict.reason


def test_a_backend_with_the_model_raises_no_objection() -> None:
    assert judge(job(), candidate()) is None


def test_an_alias_first_choice_is_free_and_each_later_one_outweighs_any_tier() -> None:
    penalties = [verdict.penalty for place in (1, 2) if (verdict := judge(job(), candidate(preference=place)))]

    assert judge(job(), candidate(preference=0)) is None
    assert penalties == [10.0, 20.0]


def test_the_place_in_the_alias_is_told_as_people_count() -> None:
    verdict = judge(job(model="auto"), candidate(preference=1))

    assert verdict is not None
    assert verdict.reason == "'small' is choice 2 for 'auto'"


def test_a_model_that_its_backend_prefers_is_free_and_any_other_costs_a_little() -> None:
    other = judge(job(), candidate(model="large", patterns=_PICKY))

    assert judge(job(), candidate(model="small-2", patterns=_PICKY)) is None
    assert other is not None
    assert 0 < other.penalty < 1
    assert not other.reject


def test_a_backend_without_preferences_takes_all_models_alike() -> None:
    assert judge(job(), candidate(model="anything")) is None
