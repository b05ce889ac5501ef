"""What constrains an answer, and when anything may be begun anew."""

from __future__ import annotations

from typing import Any

import pytest

from app.relay.continuation.rung import Parting, is_constrained
from app.relay.transcript import Written
from tests.app.builders import job, lane

NOTHING = Written("", "", 0, calls=False, in_reasoning=False, head={}, finished=False)
SOMETHING = Written('{"a"', "", 2, calls=False, in_reasoning=False, head={}, finished=False)


@pytest.mark.parametrize(
    ("body", "constrained"),
    [
        ({}, False),
        ({"response_format": {"type": "text"}}, False),
        ({"response_format": {"type": "json_object"}}, True),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, True),
        ({"tool_choice": "auto"}, False),
        ({"tool_choice": "required"}, True),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, True),
        ({"grammar": "root ::= [a-z]"}, True),
        ({"grammar": None}, False),
    ],
)
def test_a_form_that_is_imposed_is_a_constraint(body: dict[str, Any], constrained: bool) -> None:
    assert is_constrained(job(body={"messages": [], **body})) is constrained


def test_an_answer_of_which_nothing_is_written_is_not_in_the_middle_of_its_form() -> None:
    asked = job(body={"messages": [], "response_format": {"type": "json_object"}})
    source, _ = lane("a")

    assert Parting(asked, NOTHING, source, 0.0).untouched
    assert not Parting(asked, NOTHING, source, 0.0).constrained
    assert Parting(asked, SOMETHING, source, 0.0).constrained


def test_without_its_state_another_backend_is_given_the_text_and_no_ids() -> None:
    source, _ = lane("a")
    begun = Parting(job(), SOMETHING, source, 0.0).begun(source)

    assert (begun.text, begun.written, begun.tokens) == ('{"a"', 2, None)
