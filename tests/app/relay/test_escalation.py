"""Which larger models a doubted answer may be asked of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.calibration import Calibration
from app.confidence.judge import Judge
from app.domain.backend import Capability, Hardware, Learned
from app.domain.confidence import Attempt, Forwarding
from app.domain.decision import Decision, Precedence, Route, Verdict
from app.domain.job import Job
from app.domain.thermal import ThermalState, Zone
from app.relay.course import Course
from app.relay.destinations import Surroundings
from app.relay.doubt import Doubt
from app.relay.escalation import affordable, expected, larger
from app.telemetry.decisions import Record
from backends.lane import Lane
from tests.app.builders import candidate, job, lane, zone

JUDGE = Judge(Calibration(), 0.8)
WATCHED = Forwarding(min_confidence=0.7)


class Bench:
    """Backends by name, each with a model; the answer comes from the first of them."""

    def __init__(self, models: dict[str, str], *, tiers: dict[str, int] | None = None, **zones: Zone) -> None:
        self.models, self.zones = models, zones
        self.lanes: dict[str, Lane] = {}
        for place, name in enumerate(models):
            tier = (tiers or {}).get(name, place)
            self.lanes[name], _ = lane(name, tier=tier, zone=name if name in zones else None)
        self.rejected: dict[str, Precedence] = {}
        first = next(iter(models))
        asked = job(model="fast")
        self.doubt = Doubt(WATCHED, JUDGE, asked, [])
        self.doubt.listen(self.route(first))
        self.course = Course(asked, Decision(()), Record(asked, 0.0), self.lanes[first], None, asked)

    def route(self, name: str, *verdicts: Verdict) -> Route:
        return Route(candidate(name, self.models[name]), verdicts, 0.0)

    def decide(self, asked: Job) -> Decision:
        """A name that is no model's stands for all of them."""
        fitting = [name for name, model in self.models.items() if asked.model in (model, "fast")]
        rejected = [
            self.route(name, Verdict("rule", "no", reject=True, precedence=self.rejected[name]))
            for name in fitting
            if name in self.rejected
        ]
        return Decision(tuple(self.route(name) for name in fitting if name not in self.rejected), tuple(rejected))

    def larger(self, **policy: Any) -> list[str]:
        self.doubt.policy = replace(WATCHED, **policy)
        around = Surroundings(self.lanes, self.decide, lambda: self.zones)
        return [route.backend for route, _ in larger(around, self.course, self.doubt)]


SIZED = {"a": "m-1b", "b": "m-0.5b", "c": "m-8b", "d": "other-2b"}


def test_without_a_path_it_is_what_is_larger_by_its_name() -> None:
    assert Bench(SIZED).larger() == ["c", "d"]


@pytest.mark.parametrize("unsized", [{"a": "m", "b": "n-8b", "c": "o"}, {"a": "m-8b", "b": "n", "c": "o"}])
def test_where_a_name_tells_no_size_it_is_what_is_of_a_higher_tier(unsized: dict[str, str]) -> None:
    assert Bench(unsized, tiers={"a": 1, "b": 2, "c": 1}).larger() == ["b"]


def test_the_same_model_elsewhere_is_no_other_opinion() -> None:
    assert Bench({"a": "m", "b": "m", "c": "n"}).larger() == ["c"]


def test_a_path_is_followed_in_its_order_whatever_the_sizes() -> None:
    assert Bench(SIZED).larger(escalation_path=("m-0.5b", "nobody", "m-1b", "m-8b")) == ["b", "c"]


def test_what_was_asked_already_has_refused_or_broke_off_is_not_asked() -> None:
    bench = Bench({"a": "m-1b", "b": "m-2b", "c": "m-4b", "d": "m-8b", "e": "m-16b"})
    bench.doubt.attempts.append(Attempt("b", "m-2b"))
    bench.doubt.refused.add("c")
    bench.course.failed.add("d")

    assert bench.larger() == ["e"]


def test_a_backend_that_is_gone_since_is_not_asked() -> None:
    bench = Bench(SIZED)
    del bench.lanes["c"]

    assert bench.larger() == ["d"]


@pytest.mark.parametrize(
    ("celsius", "state"), [(50.0, ThermalState.NOMINAL), (75.0, ThermalState.WARNING), (90.0, ThermalState.CRITICAL)]
)
def test_a_warm_zone_is_spared_unless_the_policy_says_otherwise(celsius: float, state: ThermalState) -> None:
    bench = Bench(SIZED, c=zone("c", celsius))
    assert bench.zones["c"].state is state

    assert ("c" in bench.larger()) == (state is ThermalState.NOMINAL)
    assert "c" in bench.larger(respect_thermal_limits=False)


@pytest.mark.parametrize("whose", Precedence)
def test_only_what_the_mode_speaks_against_may_be_asked_all_the_same(whose: Precedence) -> None:
    bench = Bench(SIZED)
    bench.rejected["c"] = whose

    assert bench.larger() == ["d"]
    assert bench.larger(respect_thermal_limits=False) == (["d", "c"] if whose is Precedence.MODE else ["d"])


# --- what it would take


def doubt(limit: int | None = None, prompt_bytes: int = 0, **policy: Any) -> Doubt:
    asked = job(max_tokens=limit, prompt_bytes=prompt_bytes)
    return Doubt(replace(WATCHED, **policy), JUDGE, asked, [])


def route(**facts: Any) -> Route:
    return Route(candidate(**facts), (), 0.0)


@pytest.mark.parametrize(
    ("limit", "learned", "watts", "joules"),
    [
        (None, Learned(), None, None),
        (100, Learned(), 50.0, None),
        (None, Learned(joules_per_token=2.0), None, None),
        (100, Learned(joules_per_token=2.0), None, 200.0),
        (100, Learned(joules_per_token=2.0, tokens=40.0), None, 80.0),
        (10, Learned(joules_per_token=2.0, tokens=40.0), 50.0, 20.0),
        (None, Learned(joules_per_token=2.0, tokens=40.0), None, 80.0),
        (100, Learned(first_token_seconds=1.0, tokens_per_second=10.0, tokens=100.0), 5.0, 55.0),
    ],
)
def test_energy_is_expected_by_what_was_learned_else_by_power_and_time(
    limit: int | None, learned: Learned, watts: float | None, joules: float | None
) -> None:
    assert expected(route(learned=learned, watts=watts), doubt(limit))[0] == joules


@pytest.mark.parametrize(
    ("hardware", "price", "limit", "cost"),
    [
        (Hardware.CPU, None, None, 0.0),
        (Hardware.CLOUD, None, 100, None),
        (Hardware.CLOUD, (1.0, 10.0), None, None),
        (Hardware.CLOUD, (1.0, 10.0), 100, (1000 * 1.0 + 100 * 10.0) / 1e6),
        (Hardware.CPU, (1.0, 0.0), 100, 1000 / 1e6),
    ],
)
def test_money_is_expected_by_the_price_and_what_is_at_home_costs_none(
    hardware: Hardware, price: tuple[float, float] | None, limit: int | None, cost: float | None
) -> None:
    told = expected(route(hardware=hardware, price=price), doubt(limit, prompt_bytes=4000))[1]

    assert told == (cost if cost is None else pytest.approx(cost))


@given(st.floats(0, 100), st.floats(0.1, 100), st.integers(1, 100))
def test_a_budget_is_for_all_further_attempts_together(spent: float, budget: float, tokens: int) -> None:
    asked = doubt(tokens, max_joules=budget)
    asked.joules = spent

    assert affordable(route(learned=Learned(joules_per_token=1.0)), asked) == (spent + tokens <= budget)


def test_what_is_not_known_is_not_within_a_budget_and_needs_none() -> None:
    unknown = route(hardware=Hardware.CLOUD)

    assert affordable(unknown, doubt())
    assert not affordable(unknown, doubt(max_joules=1e9))
    assert not affordable(unknown, doubt(max_cost=1e9))
    assert Capability.CHAT in unknown.candidate.profile.honours
