"""What a name stands for, and what is listed."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.backend import Capability, ServedModel
from app.relay.directory import Directory
from tests.app.builders import job, lane


def offers(directory: Directory, model: str, capability: Capability = Capability.CHAT) -> list[tuple[str, str, int]]:
    """(backend, model, place in the alias) of every candidate that has it."""
    found, _ = directory.look(job(capability, model), {})
    return [(each.profile.id, each.model.name, each.preference) for each in found]


def directory(aliases: dict[str, tuple[str, ...]] | None = None, **served: tuple[ServedModel | str, ...]) -> Directory:
    """Backends by name, with what each of them has."""
    lanes = {}
    for name, models in served.items():
        lanes[name], _ = lane(name)
        lanes[name].found(tuple(ServedModel(each) if isinstance(each, str) else each for each in models))
    return Directory(lanes, aliases or {})


def test_a_name_is_had_from_every_backend_that_serves_it_in_the_order_of_the_configuration() -> None:
    assert offers(directory(b=("x", "y"), a=("x",), c=("z",)), "x") == [("b", "x", 0), ("a", "x", 0)]


def test_a_backend_without_the_model_is_rejected_with_the_reason() -> None:
    found, absent = directory(a=("x",), b=("y",)).look(job(model="x"), {})

    assert [each.profile.id for each in found] == ["a"]
    assert [(route.backend, route.reason) for route in absent] == [("b", "serves-model: does not serve 'x'")]


def test_a_name_is_no_pattern() -> None:
    assert offers(directory(a=("x",)), "*") == []


def test_an_alias_stands_for_the_best_model_of_each_pattern_and_tells_its_place() -> None:
    found = offers(directory({"fast": ("small*", "large")}, a=("small-1", "large"), b=("large",)), "fast")

    assert found == [("a", "small-1", 0), ("a", "large", 1), ("b", "large", 1)]


def test_one_model_of_a_backend_is_offered_once_at_its_best_place() -> None:
    assert offers(directory({"any": ("x", "*")}, a=("x",)), "any") == [("a", "x", 0)]


def test_an_alias_wins_over_a_model_of_the_same_name() -> None:
    assert offers(directory({"x": ("y",)}, a=("x", "y")), "x") == [("a", "y", 0)]


def test_of_several_models_an_alias_takes_one_that_can_do_the_job() -> None:
    embedder = ServedModel("a-embedder", capabilities=frozenset({Capability.EMBED}))
    found = directory(
        {"auto": ("*",)}, box=(embedder, ServedModel("talker", capabilities=frozenset({Capability.CHAT})))
    )

    assert offers(found, "auto") == [("box", "talker", 0)]
    assert offers(found, "auto", Capability.EMBED) == [("box", "a-embedder", 0)]


def test_an_alias_that_matches_nothing_of_a_backend_leaves_it_rejected() -> None:
    found, absent = directory({"fast": ("x",)}, a=("y",)).look(job(model="fast"), {})

    assert (found, [route.model for route in absent]) == ([], ["fast"])


def test_what_a_name_stands_for_follows_the_backends_models() -> None:
    box, _ = lane("box")
    found = Directory({"box": box}, {"auto": ("*",)})
    assert offers(found, "auto") == [("box", "small", 0)]

    box.found((ServedModel("other"),))

    assert offers(found, "auto") == [("box", "other", 0)]
    assert offers(found, "small") == []


def test_what_was_remembered_still_shows_the_backend_as_it_is_now() -> None:
    box, _ = lane("box")
    found = Directory({"box": box}, {})
    assert found.look(job(), {})[0][0].busy == 0

    box.busy = 3

    assert found.look(job(), {})[0][0].busy == 3


def test_names_that_nobody_serves_do_not_pile_up() -> None:
    found = directory(a=("x",))

    for index in range(5000):
        found.look(job(model=f"guess-{index}"), {})

    assert len(found._resolved) <= 1025


def test_every_alias_and_every_model_is_listed_once_with_its_first_owner() -> None:
    listed = directory({"auto": ("*",)}, a=(ServedModel("x", created=5),), b=("x", "y")).names()

    assert listed == {"auto": ("isotherm", 0), "x": ("a", 5), "y": ("b", 0)}


@pytest.mark.parametrize(
    ("settings", "model", "served"),
    [
        ({"models": ["small"]}, "small", True),
        ({"models": ["other*"]}, "small", False),
        ({"excluded": ["small"]}, "small", False),
    ],
)
def test_the_patterns_of_the_settings_decide_what_is_offered(
    settings: dict[str, Any], model: str, served: bool
) -> None:
    box, _ = lane("box", **settings)

    assert bool(offers(Directory({"box": box}, {}), model)) is served
