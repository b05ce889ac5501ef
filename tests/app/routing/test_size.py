"""Sizes in the names of models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.routing.size import billions


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("llama3:70b", 70),
        ("qwen2.5-0.5b-instruct", 0.5),
        ("Qwen3-30B-A3B", 30),
        ("mixtral:8x7b", 56),
        ("mixtral-8x22b-instruct-q4_K_M", 176),
        ("smollm2-135m", 0.135),
        ("gpt-oss-20b", 20),
        ("meta-llama/Llama-3.1-8B-Instruct", 8),
        ("llama-3-8b.gguf", 8),
        ("llama_7b_q4_0", 7),
        ("Qwen2.5-7B-Instruct-1M", 7),
    ],
)
def test_a_size_that_is_a_word_of_its_own_is_read(name: str, size: float) -> None:
    assert billions(name) == pytest.approx(size)


@pytest.mark.parametrize(
    "name",
    ["phi-3-mini", "q4_b", "v3b2x", "model-4bit", "gemma3n:e4b", "1.5.7b", "8x", "b", "", "wordllama-256", "x7b"],
)
def test_what_is_no_size_is_unknown(name: str) -> None:
    assert billions(name) is None


@given(st.text(max_size=200) | st.text("0123456789.xbBmM-:", max_size=2000))
def test_no_name_is_an_error(name: str) -> None:
    size = billions(name)

    assert size is None or 0 <= size < 10**11
