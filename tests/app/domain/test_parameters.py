"""Which fields of a request its answer depends on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.backend import Capability
from app.domain.parameters import HINTS, NEUTRAL, OFFICIAL, OURS, needed

_CHAT = Capability.CHAT
_NOTHING = (frozenset[str](), frozenset[str]())


def test_a_field_of_the_api_is_needed() -> None:
    assert needed({"seed": 7, "temperature": 0.0}, _CHAT) == (frozenset({"seed", "temperature"}), frozenset())


def test_a_field_that_is_not_of_the_api_is_an_extra() -> None:
    assert needed({"top_k": 40}, _CHAT) == (frozenset(), frozenset({"top_k"}))


def test_a_field_of_another_endpoint_is_an_extra_here() -> None:
    assert needed({"best_of": 2, "dimensions": 64}, _CHAT)[1] == {"best_of", "dimensions"}
    assert needed({"best_of": 2}, Capability.COMPLETE) == (frozenset({"best_of"}), frozenset())
    assert needed({"dimensions": 64}, Capability.EMBED) == (frozenset({"dimensions"}), frozenset())


@pytest.mark.parametrize("name", sorted(OURS | HINTS))
def test_what_the_gateway_answers_for_and_hints_ask_nothing_of_a_backend(name: str) -> None:
    assert needed({name: "something"}, _CHAT) == _NOTHING


@pytest.mark.parametrize("capability", Capability)
def test_null_asks_for_nothing(capability: Capability) -> None:
    assert needed(dict.fromkeys([*OFFICIAL[capability], "an_extra"]), capability) == _NOTHING


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in NEUTRAL.items() for value in values])
def test_a_neutral_value_asks_for_nothing(name: str, value: Any) -> None:
    capability = next(each for each in Capability if name in OFFICIAL[each])

    assert needed({name: value}, capability) == _NOTHING


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frequency_penalty", 0.0),
        ("presence_penalty", -0.0),
    ],
)
def test_zero_is_neutral_as_a_whole_number_and_as_a_fraction(name: str, value: Any) -> None:
    assert needed({name: value}, _CHAT) == _NOTHING


@pytest.mark.parametrize(
    ("capability", "name", "value"),
    [
        (Capability.COMPLETE, "logprobs", 0),
        (Capability.COMPLETE, "echo", True),
        (_CHAT, "logprobs", True),
        (_CHAT, "parallel_tool_calls", False),
        (_CHAT, "tool_choice", "required"),
        (_CHAT, "modalities", ["text", "audio"]),
        (_CHAT, "response_format", {"type": "json_object"}),
        (_CHAT, "stop", ["\n"]),
        (_CHAT, "service_tier", "flex"),
        (_CHAT, "logit_bias", {"50256": -100}),
    ],
)
def test_any_other_value_asks_for_something(capability: Capability, name: str, value: Any) -> None:
    assert needed({name: value}, capability)[0] == {name}


def test_every_neutral_value_belongs_to_a_parameter_that_some_endpoint_has() -> None:
    assert set(NEUTRAL) <= frozenset[str]().union(*OFFICIAL.values())


@given(
    st.dictionaries(
        st.sampled_from(sorted(OFFICIAL[_CHAT])) | st.text(min_size=1, max_size=8),
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2),
    )
)
def test_no_field_is_dropped_in_silence(body: dict[str, Any]) -> None:
    wanted, extras = needed(body, _CHAT)

    left = set(body) - wanted - extras
    assert not wanted & extras
    assert all(body[name] is None or name in OURS | HINTS or name in NEUTRAL for name in left)
