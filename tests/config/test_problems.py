"""One sentence for what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from config.problems import problem, yaml_path


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = Field(0, ge=0)
    either: int | float | None = None
    words: tuple[str, ...] = ()
    named: dict[str, int] = {}

    @model_validator(mode="after")
    def _odd(self) -> Leaf:
        if self.size == 13:
            raise ValueError("Thirteen brings bad luck")
        return self


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    leaf: Leaf = Leaf()
    leaves: tuple[Leaf, ...] = ()
    perhaps: Leaf | None = None


def said(tree: dict[str, Any], prefix: str = "") -> str:
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate(tree)
    return problem(caught.value, Tree, prefix).message


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ((), "top"),
        (("a",), "top.a"),
        (("a", 0, "b"), "top.a[0].b"),
        ((0,), "top[0]"),
    ],
)
def test_a_place_is_written_as_people_write_it(location: tuple[int | str, ...], path: str) -> None:
    assert yaml_path("top", location) == path


def test_a_place_at_the_top_has_no_dot_before_it() -> None:
    assert yaml_path("", ("a", 1, "b")) == "a[1].b"


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ({"leaf": {"size": -1}}, "leaf.size: input should be greater than or equal to 0"),
        ({"leaves": [{}, {"words": [1]}]}, "leaves[1].words[0]: input should be a valid string"),
        ({"leaf": {"named": {"x": "y"}}}, "leaf.named.x: input should be a valid integer"),
        ({"leaf": {"siez": 1}}, "leaf.siez: there is no such key; did you mean `size`?"),
        ({"perhaps": {"wrds": 1}}, "perhaps.wrds: there is no such key; did you mean `words`?"),
        ({"qqq": 1}, "qqq: there is no such key; known are leaf, leaves, perhaps"),
        ({"leaf": {"size": 13}}, "leaf: thirteen brings bad luck"),
    ],
)
def test_the_first_finding_is_said_with_its_place(tree: dict[str, Any], sentence: str) -> None:
    assert said(tree).startswith(sentence)


def test_the_place_begins_where_the_whole_stands() -> None:
    assert said({"leaf": {"size": -1}}, "backends[2]").startswith("backends[2].leaf.size: ")


def test_a_key_that_takes_several_types_is_told_without_their_names() -> None:
    assert said({"leaf": {"either": "x"}}).startswith("leaf.either: ")


@pytest.mark.parametrize("secret", [{"leaf": {"size": "sk-secret"}}, {"leaf": "sk-secret"}, {"leaves": ["sk-secret"]}])
def test_what_was_written_is_never_repeated(secret: dict[str, Any]) -> None:
    assert "sk-secret" not in said(secret)
