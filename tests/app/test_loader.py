"""From a word in the configuration to the thing that it names."""

from __future__ import annotations

import json
import sys

import pytest

from app.domain.errors import ConfigurationError
from app.loader import load

KINDS = {"decoder": "json:JSONDecoder", "encoder": "json:JSONEncoder", "broken": "no.such.module:Thing"}


def test_a_kind_of_the_table_is_loaded() -> None:
    assert load("decoder", KINDS) is json.JSONDecoder


def test_a_users_own_thing_comes_in_by_the_same_door() -> None:
    assert load("json:loads", KINDS) is json.loads


def test_a_function_is_as_good_as_a_class() -> None:
    assert load("app.loader:load", {}) is load


def test_nothing_is_imported_before_it_is_wanted() -> None:
    sys.modules.pop("this", None)

    load("decoder", {**KINDS, "zen": "this:s"})

    assert "this" not in sys.modules


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"the kind decodr is unknown; did you mean decoder\?"):
        load("decodr", KINDS)


@pytest.mark.parametrize("kind", ["xyz", "", ":", "module:", ":Name", "json"])
def test_what_is_like_no_kind_lists_them_all(kind: str) -> None:
    with pytest.raises(ConfigurationError, match="known are decoder, encoder, broken"):
        load(kind, KINDS)


@pytest.mark.parametrize("kind", ["broken", "no.such.module:Thing"])
def test_a_module_that_is_not_there_is_the_configurations_fault(kind: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{kind} cannot be loaded: No module named"):
        load(kind, KINDS)


def test_a_name_that_is_not_there_is_told_with_its_module() -> None:
    with pytest.raises(ConfigurationError, match="json has no Thing"):
        load("json:Thing", KINDS)


@pytest.mark.parametrize("kind", [".relative:Thing", "..:Thing", "a..b:Thing"])
def test_a_module_name_that_is_none_is_the_configurations_fault(kind: str) -> None:
    with pytest.raises(ConfigurationError):
        load(kind, KINDS)
