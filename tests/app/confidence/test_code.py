"""Tests of code in an answer: what parses, what does not, and what can't be told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.code import parses, read_json
from app.confidence.fences import Block

GOOD = [
    ("python", "def f():\n    ..."),
    ("python", "return x"),
    ("python", 're.match("\\d", x)'),
    ("python", ">>> x = 1\n>>> x\n1\n>>> for i in x:\n...     pass\n..."),
    ("json", '{"a": [1, null]}'),
    ("bash", "$ ls -l\ntotal 4 (hi)\n$ echo \\\n  a"),
]

BAD = [
    ("python", "print 'x'"),
    ("python", "(" * 8_000),
    ("python", "a\0b"),
    ("json", "{'a': 1}"),
    ("json", '{"a": NaN}'),
    ("js", "const = (a => {"),
]

UNTOLD = [
    ("", "x ="),
    ("python", "def f(x, ...):\n    pass"),
    ("python", "else:\n    x"),
    ("python", "%matplotlib inline\nx = 1"),
    ("python", "-" * 15_000 + "1"),
    ("python", "lambda:" * 2200 + "1"),
    ("python", "not " * 4000 + "1"),
    ("python", "a" + ".b" * 8000),
    ("python", "x" * 20_000),
    ("python", "\ud800"),
    ("python", "  \n"),
    ("json", '{"a": 1, ...}'),
    ("json", "[" * 5000),
    ("json", "1" * 5000),
    ("json", '"' + "a" * 300_000),
    ("bash", "git checkout <branch name>"),
    ("js", "f(a, ... )"),
]


@pytest.mark.parametrize(("label", "body"), GOOD)
def test_code_as_people_write_it_parses(label: str, body: str) -> None:
    assert parses(Block(label, body)) is True


@pytest.mark.parametrize(("label", "body"), BAD)
def test_broken_code_does_not_parse(label: str, body: str) -> None:
    assert parses(Block(label, body)) is False


@pytest.mark.parametrize(("label", "body"), UNTOLD)
def test_a_part_or_too_much_or_another_language_cannot_be_told(label: str, body: str) -> None:
    assert parses(Block(label, body)) is None


def test_what_was_read_comes_with_the_reading() -> None:
    assert read_json(' {"a": 1}\n').value == {"a": 1}


@given(
    st.sampled_from(("python", "json", "bash", "js", "css", "c")),
    st.text(st.sampled_from("(){}[]<>;:,.=\"'`$ab1 \n\\-#@\0\ud800")),
)
def test_nothing_that_is_written_raises(label: str, body: str) -> None:
    assert parses(Block(label, body)) in (True, False, None)
