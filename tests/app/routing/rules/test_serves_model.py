"""Who has the model, and who has it by choice."""

from __future__ import annotations

from app.domain.backend import ModelPatterns
from app.routing.rules.serves_model import absent, judge
from app.routing.weights import ALIAS_PLACE, TIER
from tests.app.builders import candidate, conditions, job

_PICKY = ModelPatterns(preferred=("small*",))


def test_a_backend_without_the_model_is_rejected() -> None:
    verdict = judge(job(), candidate(serves=False), conditions())

    assert verdict is not None
    assert verdict.reject
    assert "'small'" in verdict.reason


def test_a_backend_with_the_model_raises_no_objection() -> None:
    assert judge(job(), candidate(), conditions()) is None


def test_an_alias_first_choice_is_free_and_each_later_one_outweighs_any_tier() -> None:
    later = [judge(job(), candidate(preference=place), conditions()) for place in (1, 2)]

    assert judge(job(), candidate(preference=0), conditions()) is None
    assert [verdict and verdict.penalty for verdict in later] == [ALIAS_PLACE, 2 * ALIAS_PLACE]
    assert ALIAS_PLACE > 9 * TIER


def test_the_place_in_the_alias_is_told_as_people_count() -> None:
    verdict = judge(job(model="auto"), candidate(preference=1), conditions())

    assert verdict is not None
    assert verdict.reason == "'small' is choice 2 for 'auto'"


def test_a_model_that_its_backend_prefers_is_free_and_any_other_costs_a_little() -> None:
    other = judge(job(), candidate(model="large", patterns=_PICKY), conditions())

    assert judge(job(), candidate(model="small-2", patterns=_PICKY), conditions()) is None
    assert other is not None
    assert 0 < other.penalty < 1
    assert not other.reject


def test_a_backend_without_preferences_takes_all_models_alike() -> None:
    assert judge(job(), candidate(model="anything"), conditions()) is None


def test_a_backend_without_the_model_can_be_rejected_without_a_job() -> None:
    route = absent(candidate("box", serves=False))

    assert route.verdicts == (judge(job(), candidate("box", serves=False), conditions()),)
    assert (route.backend, route.penalty) == ("box", 0)
    assert route.reason == "serves-model: does not serve 'small'"
