"""Tests of code against its language's grammar."""

from __future__ import annotations

import pytest

from app.confidence.grammars import stands

GOOD = [
    ("bash", 'for f in *.txt; do echo "$f"; done'),
    ("c", "for (int i = 0; i < 3; i++) { x += i; }"),
    ("cpp", 'std::cout << "x" << std::endl;'),
    ("css", "a { color: red; }"),
    ("css", "color: red;"),
    ("go", "x := 5\nfmt.Println(x)"),
    ("html", "<p>Hi<br></p>"),
    ("java", "public static int f(int a) { return a; }"),
    ("js", "const x = await fetch(`a${b}`);\nreturn x"),
    ("rust", 'let v: Vec<i32> = vec![1];\nprintln!("{:?}", v);'),
    ("ts", "interface A { b: string; c?: number }"),
    ("tsx", "const A = (p: P) => <div>{p.x}</div>;"),
]

BAD = [
    ("bash", "if [ a ]; do echo; fi"),
    ("c", "int main(void { return 0 }"),
    ("cpp", "int main( { return }"),
    ("css", "a { color: red; } }} b {"),
    ("go", "func main( { x := }"),
    ("html", "<div></p></span"),
    ("java", "public class { int x = ; }"),
    ("js", "const = (a => {"),
    ("rust", "fn main( { let = 5 }"),
    ("ts", "interface A { b: string, c: }"),
]


@pytest.mark.parametrize(("label", "body"), GOOD)
def test_code_as_people_write_it_stands(label: str, body: str) -> None:
    assert stands(label, body) is True


@pytest.mark.parametrize(("label", "body"), BAD)
def test_broken_code_does_not_stand(label: str, body: str) -> None:
    assert stands(label, body) is False


def test_a_language_without_a_grammar_cannot_be_told() -> None:
    assert stands("befunge", "v<") is None


def test_what_is_too_long_cannot_be_told() -> None:
    assert stands("js", "a();\n" * 2000) is None


@pytest.mark.parametrize("drone", ["<", "<a>", "a(", "{", "\"`'$"])
def test_a_drone_is_no_code_and_not_tried(drone: str) -> None:
    assert stands("bash", drone * 1000) is None
