"""Why a route was chosen, in words."""

from __future__ import annotations

from app.domain.decision import Decision, Route, Verdict
from tests.app.builders import candidate


def route(name: str, *verdicts: Verdict, serves: bool = True) -> Route:
    weightiest = max(verdicts, key=lambda verdict: verdict.penalty, default=None)
    penalty = sum(verdict.penalty for verdict in verdicts)
    return Route(candidate(name, serves=serves), verdicts, penalty, weightiest)


def tier(number: int) -> Verdict:
    return Verdict("prefer-tier", f"tier {number}", penalty=float(number))


def order(place: int) -> Verdict:
    return Verdict("mode-order", f"it is choice {place}", penalty=10.0 * (place - 1))


def test_the_only_route_has_what_counted_most_against_it_as_its_reason() -> None:
    only = route("a", tier(2))

    assert Decision((only,)).why(only) == "prefer-tier: tier 2"
    assert Decision((route("b"),)).why(route("b")) == "nothing speaks against it"


def test_the_next_one_is_named_with_what_sets_it_back_most_in_comparison() -> None:
    first, second = route("a", order(3), tier(1)), route("b", order(4), tier(5))

    assert Decision((first, second)).why(first) == "mode-order: it is choice 3; before b: mode-order: it is choice 4"


def test_one_that_is_as_good_is_behind_by_its_place_in_the_file_alone_and_not_named() -> None:
    first, second = route("a", tier(1)), route("b", tier(1))

    assert Decision((first, second)).why(first) == "prefer-tier: tier 1"


def test_those_that_are_out_are_named_unless_they_never_had_the_model() -> None:
    hot = Verdict("keep-cool", "it is critical", reject=True)
    absent = Verdict("serves-model", "does not serve it", reject=True)
    first = route("a", tier(1))
    out = route("b", hot), route("c", absent, serves=False)

    assert Decision((first,), out).why(first) == "prefer-tier: tier 1; not b: keep-cool: it is critical"
