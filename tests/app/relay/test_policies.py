"""Which answers are judged, and by which policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.calibration import Calibration
from app.confidence.judge import Judge
from app.domain.backend import Capability
from app.domain.confidence import NO_FORWARDING, Forwarding, Judging
from app.domain.job import NO_WISHES
from app.relay.policies import Estimates, Policies
from tests.app.builders import job, profile

JUDGE = Judge(Calibration(), 0.8)
STRICT, LAX = Forwarding(min_confidence=0.9), Forwarding(min_confidence=0.1)
BUDGETS = st.none() | st.floats(0.001, 1000)


def wishing(**forwarding: Any) -> Any:
    return replace(NO_WISHES, forwarding=forwarding)


@pytest.mark.parametrize(
    ("model", "policy"),
    [
        ("fast", STRICT),
        ("faster", LAX),
        ("f", LAX),
        ("slow", NO_FORWARDING),
        ("Fast", NO_FORWARDING),
        ("", NO_FORWARDING),
    ],
)
def test_the_first_glob_that_fits_the_name_that_was_asked_for_counts(model: str, policy: Forwarding) -> None:
    policies = Policies(JUDGE, by_name={"fast": STRICT, "f*": LAX})

    assert policies.of(job(model=model)) == policy


def test_a_request_changes_what_it_names_and_nothing_else() -> None:
    policies = Policies(
        JUDGE, by_name={"fast": Forwarding(min_confidence=0.5, max_retries=2, escalation_path=("big",))}
    )
    wishes = wishing(mode=Judging.WATCH, max_retries=1)

    assert policies.of(job(model="fast", wishes=wishes)) == Forwarding(
        min_confidence=0.5, max_retries=1, escalation_path=("big",), mode=Judging.WATCH
    )


def test_a_request_needs_no_policy_to_have_one() -> None:
    assert Policies(JUDGE).of(job(wishes=wishing(min_confidence=0.3))) == Forwarding(min_confidence=0.3)


@given(BUDGETS, BUDGETS, st.sampled_from(["max_joules", "max_cost"]))
def test_a_request_never_gives_itself_more_than_the_configuration_does(
    configured: float | None, asked: float | None, name: str
) -> None:
    budget: dict[str, Any] = {name: configured}
    policies = Policies(JUDGE, by_name={"*": replace(STRICT, **budget)})
    wishes = wishing(max_retries=1, **({} if asked is None else {name: asked}))

    given_in_the_end = getattr(policies.of(job(wishes=wishes)), name)

    told = [each for each in (configured, asked) if each is not None]
    assert given_in_the_end == min(told, default=None)


@pytest.mark.parametrize("managed", [True, False])
@pytest.mark.parametrize("estimates", Estimates)
@pytest.mark.parametrize("policy", [NO_FORWARDING, STRICT])
def test_an_answer_is_judged_where_a_policy_or_the_configuration_wants_that(
    policy: Forwarding, estimates: Estimates, managed: bool
) -> None:
    doubt = Policies(JUDGE, estimates).doubt(job(), profile(managed=managed), policy, [])

    wanted = policy is STRICT or estimates is Estimates.ALWAYS or (managed and estimates is Estimates.LOCAL)
    assert (doubt is not None) == wanted
    assert doubt is None or doubt.policy == policy


@pytest.mark.parametrize(
    "asked",
    [job(choices=2), job(background=True), job(Capability.EMBED)],
    ids=["several choices", "background", "embeddings"],
)
def test_some_answers_are_as_good_as_they_are(asked: Any) -> None:
    assert Policies(JUDGE, Estimates.ALWAYS).doubt(asked, profile(managed=True), STRICT, []) is None
