"""Which models a backend may serve."""

from __future__ import annotations

import pytest

from app.domain.backend import ModelPatterns, matches


@pytest.mark.parametrize(
    ("pattern", "model", "matched"),
    [
        ("*", "anything/at:all", True),
        ("qwen2.5:*", "qwen2.5:0.5b", True),
        ("qwen2.5:*", "qwen2x5:0.5b", False),
        ("*:0.5b", "qwen2.5:0.5b", True),
        ("Qwen*", "qwen", False),
        ("gpt-?", "gpt-4", True),
        ("gpt-?", "gpt-40", False),
        ("gpt-[45]", "gpt-5", True),
        ("small", "small", True),
        ("small", "smaller", False),
    ],
)
def test_a_pattern_is_a_case_sensitive_glob(pattern: str, model: str, matched: bool) -> None:
    assert matches(model, (pattern,)) is matched


def test_no_pattern_matches_nothing() -> None:
    assert not matches("small", ())


def test_every_model_is_allowed_unless_something_else_is_said() -> None:
    assert ModelPatterns().allow("anything")
    assert not ModelPatterns().prefer("anything")


def test_only_supported_models_are_allowed() -> None:
    patterns = ModelPatterns(supported=("llama*", "qwen"))

    assert patterns.allow("llama-3")
    assert patterns.allow("qwen")
    assert not patterns.allow("phi")


def test_an_excluded_model_is_not_allowed_even_when_it_is_supported_by_name() -> None:
    patterns = ModelPatterns(supported=("small", "*"), excluded=("sm*",))

    assert not patterns.allow("small")
    assert patterns.allow("large")


def test_preferring_is_a_hint_and_allows_nothing() -> None:
    patterns = ModelPatterns(supported=("llama*",), preferred=("phi*",))

    assert patterns.prefer("phi-4")
    assert not patterns.allow("phi-4")


def test_exact_names_are_those_that_are_no_patterns_and_not_excluded() -> None:
    patterns = ModelPatterns(supported=("small", "llama*", "gpt-?", "m[ab]", "gone"), excluded=("gone",))

    assert patterns.exact() == ("small",)
