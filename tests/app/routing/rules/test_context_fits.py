"""Prompts go where they fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Capability, ServedModel
from app.routing.rules.context_fits import judge
from tests.app.builders import candidate, conditions, job

_SHORT = ServedModel("small", context=100)


def test_where_nobody_knows_the_context_everything_is_tried() -> None:
    assert judge(job(prompt_bytes=10**9), candidate(), conditions()) is None


def test_a_prompt_that_fits_by_any_count_is_free() -> None:
    assert judge(job(prompt_bytes=400), candidate(model=_SHORT), conditions()) is None


def test_a_prompt_that_can_not_fit_is_rejected_and_the_field_named() -> None:
    verdict = judge(job(prompt_bytes=1212), candidate(model=_SHORT), conditions())

    assert verdict is not None
    assert verdict.reject
    assert verdict.param == "messages"
    assert verdict.reason == "the prompt has at least 101 tokens, and 'small' takes 100"


def test_a_prompt_that_might_not_fit_is_sent_there_only_when_nothing_is_better() -> None:
    verdict = judge(job(prompt_bytes=1211), candidate(model=_SHORT), conditions())

    assert verdict is not None
    assert not verdict.reject
    assert verdict.penalty > 0


def test_the_room_for_the_answer_counts() -> None:
    assert judge(job(prompt_bytes=40, max_tokens=90), candidate(model=_SHORT), conditions()) is None
    assert judge(job(prompt_bytes=40, max_tokens=91), candidate(model=_SHORT), conditions()) is not None


def test_a_large_max_tokens_alone_is_no_reason_to_reject() -> None:
    verdict = judge(job(prompt_bytes=4, max_tokens=10**6), candidate(model=_SHORT), conditions())

    assert verdict is not None
    assert not verdict.reject


def test_what_the_server_says_of_its_model_counts_before_what_the_configuration_says() -> None:
    asked = job(prompt_bytes=3000)

    assert judge(asked, candidate(model=ServedModel("small", context=1000), max_context=100), conditions()) is None
    assert judge(asked, candidate(model="small", max_context=100), conditions()) is not None


@pytest.mark.parametrize(
    ("capability", "param"),
    [(Capability.CHAT, "messages"), (Capability.COMPLETE, "prompt"), (Capability.EMBED, "input")],
)
def test_the_field_is_the_one_that_holds_the_prompt(capability: Capability, param: str) -> None:
    verdict = judge(job(capability, prompt_bytes=10**6), candidate(model=_SHORT), conditions())

    assert verdict is not None
    assert verdict.param == param


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_prompt_of_fewer_bytes_than_tokens_that_fit_is_never_rejected(prompt_bytes: int, spare: int) -> None:
    context = max(1, prompt_bytes // 12 + spare)

    verdict = judge(
        job(prompt_bytes=prompt_bytes), candidate(model=ServedModel("small", context=context)), conditions()
    )

    assert verdict is None or not verdict.reject
