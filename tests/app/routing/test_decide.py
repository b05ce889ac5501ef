"""Which routes a job gets, and what is said when it gets none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Candidate
from app.domain.decision import Decision, Precedence, Route, Verdict
from app.domain.errors import BadRequestError, IsothermError, ModelNotFoundError, NoRouteError
from app.domain.job import Job
from app.domain.mode import Conditions
from app.routing.decide import decide, why_no_route
from app.routing.rule import Rule
from app.routing.rules.serves_model import absent
from app.routing.weights import RELAXED
from tests.app.builders import candidate, conditions, job, mode


def penalize(**penalties: float) -> Rule:
    """A rule that gives each backend its penalty, and has no opinion of the others."""

    def rule(job: Job, candidate: Candidate, conditions: Conditions, /) -> Verdict | None:
        penalty = penalties.get(candidate.profile.id)
        return None if penalty is None else Verdict("weigh", f"weighs {penalty:g}", penalty=penalty)

    return rule


def reject(
    *names: str,
    param: str | None = None,
    rule_name: str = "bar",
    precedence: Precedence = Precedence.CANNOT,
    beyond: float = 0.0,
) -> Rule:
    """A rule that rejects these backends."""

    def rule(job: Job, candidate: Candidate, conditions: Conditions, /) -> Verdict | None:
        name = candidate.profile.id
        if name not in names:
            return None
        reason = f"{name} is barred"
        return Verdict(rule_name, reason, penalty=beyond, reject=True, param=param, precedence=precedence)

    return rule


def never_asked(job: Job, candidate: Candidate, conditions: Conditions, /) -> Verdict | None:
    raise AssertionError(f"{candidate.profile.id} was rejected already")


def decided(*rules: Rule, among: str = "a", relax: bool = True) -> Decision:
    """Among backends of one letter each."""
    return decide(job(), [candidate(name) for name in among], conditions(relax=relax), rules)


def backends(routes: tuple[Route, ...]) -> str:
    return "".join(route.backend for route in routes)


def test_the_smallest_sum_of_penalties_is_tried_first() -> None:
    decision = decided(penalize(a=1, b=2, c=0), penalize(a=2, c=4), among="abc")

    assert backends(decision.routes) == "bac"
    assert [route.penalty for route in decision.routes] == [2, 3, 4]


def test_equal_routes_stay_in_the_order_of_the_configuration() -> None:
    assert backends(decided(penalize(b=1, a=1, c=1), among="bac").routes) == "bac"


def test_a_rejected_candidate_is_no_route_whatever_the_others_think_of_it() -> None:
    decision = decided(penalize(a=0, b=9), reject("a"), among="ab")

    assert backends(decision.routes) == "b"
    assert backends(decision.rejected) == "a"


def test_what_is_known_to_be_absent_is_rejected_before_the_others() -> None:
    known = absent(candidate("x", serves=False))

    decision = decide(job(), [candidate("a")], conditions(), (reject("a"),), (known,))

    assert decision.rejected[0] is known
    assert backends(decision.rejected) == "xa"


def test_no_further_rule_is_asked_about_a_rejected_candidate() -> None:
    assert [verdict.rule for verdict in decided(reject("a"), never_asked).rejected[0].verdicts] == ["bar"]


def test_every_verdict_on_the_way_is_kept() -> None:
    decision = decided(penalize(a=1), penalize(), penalize(a=2), reject("a"))

    assert [verdict.reason for verdict in decision.rejected[0].verdicts] == ["weighs 1", "weighs 2", "a is barred"]


def test_the_reason_of_a_route_is_its_weightiest_opinion() -> None:
    assert decided(penalize(a=1), penalize(a=5), penalize(a=2)).routes[0].reason == "weigh: weighs 5"


def test_of_opinions_that_weigh_the_same_the_first_is_the_reason() -> None:
    limits = [reject("a", precedence=Precedence.DEFAULT, rule_name=name) for name in ("first", "second")]

    for route in (decided(penalize(a=2), penalize(a=2)).routes[0], decided(*limits).routes[0]):
        assert route.weightiest is route.verdicts[0]


def test_a_route_that_nobody_has_an_opinion_of_has_nothing_against_it() -> None:
    assert decided().routes[0].reason == "nothing speaks against it"


def test_rules_are_told_the_conditions_and_the_decision_its_mode() -> None:
    now = conditions(mode("quiet"))
    told: list[Conditions] = []

    def rule(job: Job, candidate: Candidate, conditions: Conditions, /) -> Verdict | None:
        told.append(conditions)
        return None

    decision = decide(job(), [candidate("a")], now, (rule,))

    assert told == [now]
    assert decision.mode == "quiet"


def test_a_decision_with_a_route_relaxes_nothing() -> None:
    decision = decided(reject("a", precedence=Precedence.DEFAULT), among="ab")

    assert backends(decision.routes) == "b"
    assert backends(decision.rejected) == "a"
    assert decision.relaxed is None


@pytest.mark.parametrize("precedence", [Precedence.MODE, Precedence.REQUEST, Precedence.DEFAULT])
def test_where_nothing_is_left_a_limit_gives_way_and_becomes_a_penalty(precedence: Precedence) -> None:
    decision = decided(penalize(a=1), reject("a", precedence=precedence, beyond=2), penalize(a=3))

    route = decision.routes[0]
    assert decision.relaxed is precedence
    assert decision.rejected == ()
    assert [verdict.penalty for verdict in route.verdicts] == [1, RELAXED * 1.2, 3]
    assert not any(verdict.reject for verdict in route.verdicts)
    assert route.reason == "bar: gave way, nothing else is left: a is barred"


def test_defaults_give_way_before_the_request_and_the_request_before_the_mode() -> None:
    by_mode, by_request, by_default = (
        reject(name, precedence=precedence)
        for name, precedence in zip("mrd", (Precedence.MODE, Precedence.REQUEST, Precedence.DEFAULT), strict=True)
    )
    rules = (by_mode, by_request, by_default)

    assert backends(decided(*rules, among="mrd").routes) == "d"
    assert backends(decided(*rules, among="mrd").rejected) == "mr"
    assert backends(decided(*rules, among="mr").routes) == "r"
    assert backends(decided(*rules, among="m").routes) == "m"


def test_only_defaults_give_way_where_limits_are_not_relaxed() -> None:
    assert decided(reject("a", precedence=Precedence.MODE), relax=False).routes == ()
    assert decided(reject("a", precedence=Precedence.REQUEST), relax=False).routes == ()
    assert backends(decided(reject("a", precedence=Precedence.DEFAULT), relax=False).routes) == "a"


@pytest.mark.parametrize("precedence", [Precedence.CANNOT, Precedence.SAFETY])
def test_what_is_impossible_or_unsafe_never_gives_way(precedence: Precedence) -> None:
    decision = decided(reject("a", precedence=precedence))

    assert decision.routes == ()
    assert decision.relaxed is None


def test_what_is_unsafe_stays_rejected_when_a_limit_has_given_way() -> None:
    decision = decided(reject("a", precedence=Precedence.MODE), reject("a", precedence=Precedence.SAFETY))

    assert decision.routes == ()
    assert [verdict.reject for verdict in decision.rejected[0].verdicts] == [False, True]


def test_of_candidates_beyond_a_limit_the_least_far_is_tried_first_up_to_ten_times() -> None:
    rules = [
        reject(name, precedence=Precedence.MODE, beyond=beyond)
        for name, beyond in zip("abcd", (8.0, 0.5, 1e9, 10.0), strict=True)
    ]

    decision = decided(*rules, among="abcd")

    assert backends(decision.routes) == "bacd"
    assert decision.routes[-1].penalty == 2 * RELAXED


def test_a_limit_that_gave_way_is_the_reason_even_when_something_weighs_more() -> None:
    decision = decided(reject("a", precedence=Precedence.MODE), penalize(a=9 * RELAXED))

    assert decision.routes[0].rule == "bar"


def test_of_several_limits_that_gave_way_the_furthest_is_the_reason() -> None:
    near = reject("a", precedence=Precedence.MODE, beyond=1, rule_name="near")
    far = reject("a", precedence=Precedence.REQUEST, beyond=2, rule_name="far")

    assert decided(near, far).routes[0].rule == "far"
    assert decided(far, near).routes[0].rule == "far"


_VERDICTS = st.tuples(st.floats(0, 100), st.none() | st.sampled_from(Precedence))


def rules_of(opinions: list[list[tuple[float, Precedence | None]]]) -> list[Rule]:
    """The nth rule has the nth opinion of each backend, a rejection where there is a precedence."""

    def rule_of(place: int) -> Rule:
        def rule(job: Job, candidate: Candidate, conditions: Conditions, /) -> Verdict | None:
            penalty, precedence = opinions[int(candidate.profile.id)][place]
            if precedence is None:
                return Verdict("rule", "a penalty", penalty=penalty)
            return Verdict("rule", precedence.name, penalty=penalty, reject=True, precedence=precedence)

        return rule

    return [rule_of(place) for place in range(3)]


@given(st.lists(st.lists(_VERDICTS, min_size=3, max_size=3), max_size=6), st.booleans())
def test_decisions_hold_whatever_the_rules_say(
    opinions: list[list[tuple[float, Precedence | None]]], relax: bool
) -> None:
    candidates = [candidate(str(index)) for index in range(len(opinions))]
    rules = rules_of(opinions)
    last = Precedence.MODE if relax else Precedence.DEFAULT

    decision = decide(job(), candidates, conditions(relax=relax), rules)

    assert decide(job(), candidates, conditions(relax=relax), rules) == decision
    assert sorted(backends((*decision.routes, *decision.rejected))) == [each.profile.id for each in candidates]
    keys = [(route.penalty, int(route.backend)) for route in decision.routes]
    assert keys == sorted(keys)
    for route in decision.routes:
        yielded = [precedence for _, precedence in opinions[int(route.backend)] if precedence is not None]
        assert all(precedence >= last for precedence in yielded)
    for route in decision.rejected:
        assert route.verdicts[-1].reject
    possible = [all(p is None or p >= last for _, p in opinion) for opinion in opinions]
    assert bool(decision.routes) is any(possible)


def why(*rules: Rule, candidates: list[Candidate], relax: bool = False) -> IsothermError:
    asked = job(model="small")
    return why_no_route(asked, decide(asked, candidates, conditions(relax=relax), rules))


def test_without_backends_no_model_exists() -> None:
    error = why(candidates=[])

    assert isinstance(error, ModelNotFoundError)
    assert "'small'" in error.message


def test_a_model_that_nobody_serves_does_not_exist() -> None:
    known = absent(candidate("a", serves=False))

    assert isinstance(why_no_route(job(), decide(job(), [], conditions(), (), (known,))), ModelNotFoundError)


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


def test_each_limit_that_does_not_give_way_is_named() -> None:
    rules = (
        reject("a", precedence=Precedence.MODE),
        reject("b", precedence=Precedence.REQUEST),
        reject("c", param="tools"),
    )

    error = why(*rules, candidates=[candidate("a"), candidate("b"), candidate("c")])

    assert isinstance(error, NoRouteError)
    assert "(a: a is barred; b: b is barred)" in error.message


@pytest.mark.parametrize(
    ("precedence", "told"), [(Precedence.SAFETY, 10.0), (Precedence.MODE, 60.0), (Precedence.REQUEST, 60.0)]
)
def test_heat_is_over_sooner_than_a_mode(precedence: Precedence, told: float) -> None:
    error = why(reject("a", precedence=precedence), candidates=[candidate("a")])

    assert isinstance(error, NoRouteError)
    assert error.retry_after_seconds == told


def test_the_soonest_chance_counts() -> None:
    rules = (reject("a", precedence=Precedence.MODE), reject("b", precedence=Precedence.SAFETY))

    error = why(*rules, candidates=[candidate("a"), candidate("b")])

    assert isinstance(error, NoRouteError)
    assert error.retry_after_seconds == 10.0
