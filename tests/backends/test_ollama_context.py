"""How much context a job asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import BadRequestError
from backends.ollama_context import Contexts, Need, check_fits, need


def test_a_need_is_the_prompt_its_images_and_the_answer() -> None:
    bare = need({"messages": [{"content": "x" * 1000}], "options": {"num_predict": 100}})
    seeing = need({"messages": [{"content": "x" * 1000, "images": ["A" * 90_000]}], "options": {"num_predict": 100}})

    assert 600 <= bare.tokens < 700
    assert seeing.tokens == bare.tokens + 1024


def test_tools_and_raw_prompts_count_too() -> None:
    assert need({"prompt": "x" * 9000}).prompt_bytes >= 9000
    assert need({"messages": [], "tools": [{"description": "x" * 9000}]}).prompt_bytes >= 9000


def test_an_answer_without_a_limit_has_room_and_an_embedding_needs_none() -> None:
    assert need({"prompt": ""}).answer_tokens == 2048
    assert need({"input": ["Hi"]}).answer_tokens == 0


def test_what_the_caller_asks_for_is_what_is_needed() -> None:
    assert need({"prompt": "x" * 9000, "options": {"num_ctx": 512}}).tokens == 512


@given(tokens=st.integers(1, 10**7), limit=st.none() | st.integers(1, 10**6))
def test_the_context_is_enough_or_the_limit(tokens: int, limit: int | None) -> None:
    context = Contexts().hold("small", tokens, limit, 0.0)

    assert context >= tokens or context == limit
    assert limit is None or context <= limit
    assert context == limit or (context >= 2048 and context.bit_count() == 1)
    assert context <= max(2048, 2 * tokens)


def test_it_grows_at_once_and_shrinks_when_the_larger_one_was_not_needed_for_a_while() -> None:
    contexts = Contexts()

    assert contexts.hold("small", 3000, None, 0.0) == 4096
    assert contexts.hold("small", 9000, None, 1.0) == 16_384
    assert contexts.hold("small", 3000, None, 300.0) == 16_384
    assert contexts.hold("other", 3000, None, 300.0) == 4096
    assert contexts.hold("small", 3000, None, 302.0) == 4096


def test_a_prompt_that_can_not_fit_is_the_callers_fault() -> None:
    check_fits(Need(prompt_bytes=100_000, images=0, answer_tokens=1), 8192)
    check_fits(Need(prompt_bytes=10**9, images=0, answer_tokens=1), None)
    with pytest.raises(BadRequestError) as caught:
        check_fits(Need(prompt_bytes=200_000, images=0, answer_tokens=1), 8192)
    assert caught.value.code == "context_length_exceeded"
