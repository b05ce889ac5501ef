"""A job, for one backend and for another."""

from __future__ import annotations

from tests.app.builders import job


def test_a_job_for_a_backend_that_uses_the_same_name_is_the_job_itself() -> None:
    asked = job(model="small")

    assert asked.to("small") is asked


def test_a_job_for_an_alias_names_the_backends_own_model_and_still_knows_what_was_asked_for() -> None:
    asked = job(model="auto", body={"messages": [], "seed": 7})

    placed = asked.to("small")

    assert placed.body == {"model": "small", "messages": [], "seed": 7}
    assert placed.model == "auto"
    assert asked.body["model"] == "auto"


def test_changes_of_the_body_leave_the_facts_as_they_are() -> None:
    asked = job(stream=True, choices=3, key_name="ada")

    changed = asked.with_body(seed=1)

    assert changed.body["seed"] == 1
    assert (changed.stream, changed.choices, changed.key_name) == (True, 3, "ada")
