"""What a backend can't do it is not asked to, and the request's field is named."""

from __future__ import annotations

import pytest

from app.domain.backend import Capability, ServedModel
from app.domain.decision import Verdict
from app.routing.rules.capability import judge
from tests.app.builders import candidate, conditions, job

_TALKS = {Capability.CHAT: frozenset({"seed"})}


def rejected(verdict: Verdict | None) -> str | None:
    """The field that a rejection names."""
    assert verdict is not None
    assert verdict.reject
    return verdict.param


@pytest.mark.parametrize("capability", Capability)
def test_a_backend_that_can_do_the_job_is_welcome(capability: Capability) -> None:
    assert judge(job(capability), candidate(), conditions()) is None


@pytest.mark.parametrize("capability", [Capability.COMPLETE, Capability.EMBED])
def test_a_backend_that_only_talks_does_nothing_else(capability: Capability) -> None:
    assert rejected(judge(job(capability), candidate(honours=_TALKS), conditions())) == "model"


def test_a_model_that_only_embeds_does_not_talk_though_its_backend_can() -> None:
    model = ServedModel("embedder", capabilities=frozenset({Capability.EMBED}))

    assert rejected(judge(job(), candidate(model=model), conditions())) == "model"


def test_a_model_that_says_nothing_of_itself_can_do_what_its_backend_can() -> None:
    assert judge(job(Capability.EMBED), candidate(model=ServedModel("small", capabilities=None)), conditions()) is None


def test_a_parameter_that_can_not_be_honoured_is_named() -> None:
    verdict = judge(job(parameters=frozenset({"seed", "tools", "logprobs"})), candidate(honours=_TALKS), conditions())

    assert rejected(verdict) == "logprobs"


def test_parameters_that_are_honoured_are_no_hindrance() -> None:
    assert judge(job(parameters=frozenset({"seed"})), candidate(honours=_TALKS), conditions()) is None


def test_an_extra_field_is_refused_by_a_backend_that_would_drop_it() -> None:
    assert rejected(judge(job(extras=frozenset({"top_k"})), candidate(honours=_TALKS), conditions())) == "top_k"


def test_an_extra_field_is_welcome_where_it_is_known_or_passed_on() -> None:
    asked = job(extras=frozenset({"top_k"}))

    assert judge(asked, candidate(honours=_TALKS, passes_extras=True), conditions()) is None
    assert judge(asked, candidate(honours={Capability.CHAT: frozenset({"top_k"})}), conditions()) is None


@pytest.mark.parametrize(("sees", "welcome"), [(True, True), (None, True), (False, False)])
def test_images_are_kept_from_models_that_are_known_to_be_blind(sees: bool | None, welcome: bool) -> None:
    verdict = judge(job(has_images=True), candidate(model=ServedModel("small", sees=sees)), conditions())

    assert (verdict is None) is welcome
    if not welcome:
        assert rejected(verdict) == "messages"


def test_a_blind_model_takes_texts() -> None:
    assert judge(job(), candidate(model=ServedModel("small", sees=False)), conditions()) is None
