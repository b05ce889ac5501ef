"""Which routes a job gets, and what is said when it gets none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Candidate, Health
from app.domain.decision import Route, Verdict
from app.domain.errors import BadRequestError, IsothermError, ModelNotFoundError, NoRouteError
from app.domain.job import Job
from app.loader import load
from app.routing.decide import decide, why_no_route
from app.routing.rule import KINDS, Rule
from tests.app.builders import candidate, job


def penalize(**penalties: float) -> Rule:
    """A rule that gives each backend its penalty, and has no opinion of the others."""

    def rule(job: Job, candidate: Candidate, /) -> Verdict | None:
        penalty = penalties.get(candidate.profile.id)
        return None if penalty is None else Verdict("weigh", f"weighs {penalty:g}", penalty=penalty)

    return rule


def reject(*names: str, param: str | None = None, rule_name: str = "bar") -> Rule:
    """A rule that rejects these backends."""

    def rule(job: Job, candidate: Candidate, /) -> Verdict | None:
        name = candidate.profile.id
        return Verdict(rule_name, f"{name} is barred", reject=True, param=param) if name in names else None

    return rule


def never_asked(job: Job, candidate: Candidate, /) -> Verdict | None:
    raise AssertionError(f"{candidate.profile.id} was rejected already")


def backends(routes: tuple[Route, ...]) -> list[str]:
    return [route.backend for route in routes]


def test_the_smallest_sum_of_penalties_is_tried_first() -> None:
    rules = (penalize(a=1, b=2, c=0), penalize(a=2, c=4))

    decision = decide(job(), [candidate("a"), candidate("b"), candidate("c")], rules)

    assert backends(decision.routes) == ["b", "a", "c"]
    assert [route.penalty for route in decision.routes] == [2, 3, 4]


def test_equal_routes_stay_in_the_order_of_the_configuration() -> None:
    decision = decide(job(), [candidate("b"), candidate("a"), candidate("c")], (penalize(b=1, a=1, c=1),))

    assert backends(decision.routes) == ["b", "a", "c"]


def test_a_rejected_candidate_is_no_route_whatever_the_others_think_of_it() -> None:
    decision = decide(job(), [candidate("a"), candidate("b")], (penalize(a=0, b=9), reject("a")))

    assert backends(decision.routes) == ["b"]
    assert backends(decision.rejected) == ["a"]


def test_no_further_rule_is_asked_about_a_rejected_candidate() -> None:
    decision = decide(job(), [candidate("a")], (reject("a"), never_asked))

    assert [verdict.rule for verdict in decision.rejected[0].verdicts] == ["bar"]


def test_every_verdict_on_the_way_is_kept() -> None:
    decision = decide(job(), [candidate("a")], (penalize(a=1), penalize(), penalize(a=2), reject("a")))

    assert [verdict.reason for verdict in decision.rejected[0].verdicts] == ["weighs 1", "weighs 2", "a is barred"]


def test_the_reason_of_a_route_is_its_weightiest_opinion() -> None:
    decision = decide(job(), [candidate("a")], (penalize(a=1), penalize(a=5), penalize(a=2)))

    assert decision.routes[0].reason == "weigh: weighs 5"


def test_a_route_that_nobody_has_an_opinion_of_has_nothing_against_it() -> None:
    assert decide(job(), [candidate("a")], ()).routes[0].reason == "nothing speaks against it"


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=8))
def test_each_candidate_is_either_a_route_or_rejected_and_routes_are_in_order(facts: list[tuple[float, bool]]) -> None:
    names = [f"b{index}" for index in range(len(facts))]
    penalties = {name: penalty for name, (penalty, _) in zip(names, facts, strict=True)}
    barred = {name for name, (_, rejected) in zip(names, facts, strict=True) if rejected}

    decision = decide(job(), [candidate(name) for name in names], (penalize(**penalties), reject(*barred)))

    assert sorted(backends(decision.routes) + backends(decision.rejected)) == sorted(names)
    assert set(backends(decision.rejected)) == barred
    sums = [route.penalty for route in decision.routes]
    assert sums == sorted(sums)


def why(*rules: Rule, candidates: list[Candidate]) -> IsothermError:
    asked = job(model="small")
    return why_no_route(asked, decide(asked, candidates, rules))


def test_without_backends_no_model_exists() -> None:
    error = why(candidates=[])

    assert isinstance(error, ModelNotFoundError)
    assert "'small'" in error.message


def test_a_model_that_nobody_serves_does_not_exist() -> None:
    rules = [load(kind, KINDS) for kind in KINDS]

    assert isinstance(why(*rules, candidates=[candidate("a", serves=False)]), ModelNotFoundError)


def test_what_the_caller_can_mend_is_a_bad_request_that_names_the_field() -> None:
    error = why(reject("a", "b", param="logprobs"), candidates=[candidate("a"), candidate("b")])

    assert isinstance(error, BadRequestError)
    assert (error.param, error.code) == ("logprobs", "unsupported_parameter")
    assert "logprobs" in error.message


def test_a_prompt_that_is_too_long_has_the_code_that_programs_know() -> None:
    error = why(reject("a", param="messages", rule_name="context-fits"), candidates=[candidate("a")])

    assert isinstance(error, BadRequestError)
    assert error.code == "context_length_exceeded"


def test_one_backend_that_could_but_is_ill_makes_it_our_fault() -> None:
    rules = (reject("picky", param="logprobs"), reject("ill"))

    error = why(*rules, candidates=[candidate("picky"), candidate("ill", retry_seconds=12.5)])

    assert isinstance(error, NoRouteError)
    assert "ill is barred" in error.message
    assert "picky" not in error.message
    assert error.retry_after_seconds == 12.5


def test_a_backend_that_does_not_have_the_model_is_no_excuse() -> None:
    candidates = [candidate("stranger", serves=False), candidate("picky")]

    error = why(reject("stranger"), reject("picky", param="tools"), candidates=candidates)

    assert isinstance(error, BadRequestError)


@pytest.mark.parametrize(("retry", "told"), [([0.0], 1.0), ([5000.0], 60.0), ([30.0, 7.0], 7.0)])
def test_the_caller_is_told_to_come_back_when_the_first_may_be_well_but_within_a_minute(
    retry: list[float], told: float
) -> None:
    candidates = [candidate(f"b{index}", retry_seconds=seconds) for index, seconds in enumerate(retry)]

    error = why(reject("b0", "b1"), candidates=candidates)

    assert isinstance(error, NoRouteError)
    assert error.retry_after_seconds == told


def test_a_busy_small_backend_gives_way_to_an_idle_bigger_one_and_one_on_trial_to_both() -> None:
    rules = [load(kind, KINDS) for kind in KINDS]
    small = candidate("small", tier=1, concurrency=2, busy=2)
    on_trial = candidate("on-trial", health=Health.HALF_OPEN)
    big = candidate("big", tier=2)

    assert backends(decide(job(), [on_trial, small, big], rules).routes) == ["big", "small", "on-trial"]
