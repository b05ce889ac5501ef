"""What answers teach: unknown, then exact, then a mean that leans to the newest."""

from __future__ import annotations

import pytest

from app.domain.backend import NOTHING_LEARNED, Learned
from backends.learned import Lessons


def test_of_a_model_that_has_answered_nothing_nothing_is_known() -> None:
    lessons = Lessons()

    assert lessons.of("small") == NOTHING_LEARNED
    assert lessons.place_seconds is None
    assert list(lessons.items()) == []


def test_the_first_answer_teaches_exactly() -> None:
    lessons = Lessons()

    lessons.began("small", 0.5)
    lessons.ended("small", 2.0, 101, 3.0)
    lessons.cost("small", 202.0, 101, 4.0)

    assert lessons.of("small") == Learned(0.5, 50.0, 101, 3.0, 2.0, 50.5)
    assert lessons.place_seconds == 3.0
    assert lessons.of("other") == NOTHING_LEARNED


def test_later_ones_are_a_fifth_of_the_mean() -> None:
    lessons = Lessons()
    for first, tokens, seconds, joules in ((1.0, 11, 1.0, 11.0), (2.0, 21, 1.0, 42.0)):
        lessons.began("small", first)
        lessons.ended("small", seconds, tokens, 5 * first)
        lessons.cost("small", joules, tokens, seconds)

    learned = lessons.of("small")

    assert learned.first_token_seconds == pytest.approx(1.2)
    assert learned.tokens_per_second == pytest.approx(12)
    assert learned.tokens == pytest.approx(13)
    assert learned.seconds == pytest.approx(6)
    assert learned.joules_per_token == pytest.approx(1.2)
    assert learned.watts == pytest.approx(17.2)
    assert lessons.place_seconds == pytest.approx(6)


@pytest.mark.parametrize(("seconds", "tokens"), [(1.0, 7), (0.0009, 8), (0.0, 100), (1.0, None)])
def test_an_answer_that_is_too_short_says_nothing_of_speed(seconds: float, tokens: int | None) -> None:
    lessons = Lessons()
    lessons.ended("small", 1.0, 11, 1.0)

    lessons.ended("small", seconds, tokens, 1.0)

    assert lessons.of("small").tokens_per_second == 10


def test_the_shortest_answer_that_says_something_of_speed() -> None:
    lessons = Lessons()

    lessons.ended("small", 0.001, 8, 1.0)

    assert lessons.of("small").tokens_per_second == pytest.approx(7000)


def test_an_answer_of_unknown_length_leaves_the_usual_length_as_it_was() -> None:
    lessons = Lessons()
    lessons.ended("small", 1.0, None, 2.0)
    assert lessons.of("small") == Learned(seconds=2.0)

    lessons.ended("small", 1.0, 4, 2.0)
    lessons.ended("small", 1.0, None, 2.0)

    assert lessons.of("small").tokens == 4


@pytest.mark.parametrize("tokens", [None, 0])
def test_joules_without_tokens_teach_only_watts(tokens: int | None) -> None:
    lessons = Lessons()

    lessons.cost("small", 10.0, tokens, 2.0)

    assert lessons.of("small") == Learned(watts=5.0)


def test_joules_without_time_teach_only_joules_a_token() -> None:
    lessons = Lessons()

    lessons.cost("small", 10.0, 5, 0.0)

    assert lessons.of("small") == Learned(joules_per_token=2.0)


def test_how_long_a_place_is_taken_is_learned_from_all_models_together() -> None:
    lessons = Lessons()

    lessons.ended("small", 1.0, 10, 2.0)
    lessons.ended("large", 1.0, 10, 12.0)

    assert lessons.place_seconds == pytest.approx(4)
    assert (lessons.of("small").seconds, lessons.of("large").seconds) == (2, 12)


def test_of_too_many_models_the_one_that_was_used_the_longest_time_ago_is_forgotten() -> None:
    lessons = Lessons()
    for number in range(256):
        lessons.began(f"model-{number}", 1.0)

    lessons.began("model-0", 1.0)
    lessons.began("one more", 1.0)

    known = {model for model, _ in lessons.items()}
    assert len(known) == 256
    assert "model-1" not in known
    assert {"model-0", "model-2", "one more"} <= known
