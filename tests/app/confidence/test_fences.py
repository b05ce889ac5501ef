"""Tests of finding the fenced blocks of a text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.confidence.fences import Block, fenced


def test_a_block_has_the_label_after_its_fence() -> None:
    assert list(fenced("See:\n```Python title=x\na = 1\n```\nDone.")) == [Block("python", "a = 1")]


def test_a_block_that_was_not_closed_is_left_out() -> None:
    assert list(fenced("```js\na()\n```\n```js\nb(")) == [Block("js", "a()")]


def test_a_block_in_a_list_loses_its_indent() -> None:
    assert list(fenced("1. so:\n   ~~~c\n   a;\n     b;\n   ~~~")) == [Block("c", "a;\n  b;")]


def test_a_longer_fence_holds_shorter_ones() -> None:
    assert list(fenced("````\n```js\n```\n````")) == [Block("", "```js\n```")]


def test_code_within_a_line_opens_no_block() -> None:
    assert list(fenced("```a``` is code\n```\n")) == []


@given(st.text(st.sampled_from("`~\n a{")))
def test_blocks_are_never_longer_than_the_text(text: str) -> None:
    assert sum(len(block.body) for block in fenced(text)) <= len(text)
