"""Regressions of labelled answers, and their curves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Hashable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.regression import Lesson, NothingToFitError, divide, regress

GROUPS = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=80)


def lesson(count: int, strength: float = 2.0, copies: int = 1) -> Lesson:
    """Right as often as the logistic function of `strength` times the first column says; the second is noise."""
    chance = np.random.default_rng(7)
    rows = chance.normal(size=(count, 2))
    correct = (chance.random(count) < 1 / (1 + np.exp(-strength * rows[:, 0]))).astype(float)
    groups: Sequence[Hashable] = list(range(count)) * copies
    return Lesson(np.tile(rows, (copies, 1)), np.tile(correct, copies), np.full(count * copies, 1 / copies), groups)


@given(GROUPS)
def test_a_group_is_never_parted(told: list[tuple[int, bool]]) -> None:
    groups, correct = zip(*told, strict=True)
    folds = divide(groups, correct).tolist()

    assert len(set(zip(groups, folds, strict=True))) == len(set(groups))
    assert len(set(folds)) == min(5, len(set(groups)))


def test_folds_of_single_answers_have_the_same_share_of_right_ones() -> None:
    correct = [True] * 10 + [False] * 40
    folds = divide(range(50), correct)

    assert [int((folds == fold).sum()) for fold in range(5)] == [10] * 5
    assert [int(np.array(correct)[folds == fold].sum()) for fold in range(5)] == [2] * 5


def test_large_groups_are_spread() -> None:
    folds = divide(["a"] * 30 + ["b"] * 20 + list("cdefghij"), [True, False] * 29)

    assert folds[0] != folds[30]
    assert np.bincount(folds).max() == 30


def test_what_tells_counts_and_noise_does_not() -> None:
    found = regress(lesson(400))

    assert found.line.weights[0] > 1.2
    assert abs(found.line.weights[1]) < 0.3
    assert found.auroc is not None
    assert 0.8 < found.auroc < 0.95
    assert found.ece < 0.1


def test_few_labels_make_no_points() -> None:
    assert regress(lesson(499)).curve.scores == ()


def test_many_labels_make_a_curve_of_few_points_that_rises() -> None:
    curve = regress(lesson(2000)).curve

    assert 3 <= len(curve.scores) <= 20
    assert all(low < high for low, high in pairwise(curve.scores))
    assert list(curve.probabilities) == sorted(curve.probabilities)
    assert all(0 < each < 1 for each in curve.probabilities)
    assert curve.probabilities[0] < 0.1
    assert curve.probabilities[-1] > 0.9


def test_several_looks_at_one_answer_are_one_label() -> None:
    assert regress(lesson(300, copies=2)).curve.scores == ()
    assert regress(lesson(500, copies=2)).curve.scores != ()


def test_perfect_order_still_leaves_room_for_doubt() -> None:
    rows = np.linspace(-1, 1, 600)[:, None]
    found = regress(Lesson(rows, (rows[:, 0] > 0).astype(float), np.ones(600), range(600)))

    assert 0 < found.curve.probabilities[0] < 0.01
    assert 0.99 < found.curve.probabilities[-1] < 1


def test_probabilities_are_not_surer_than_the_labels() -> None:
    found = regress(lesson(200, strength=0.0))

    assert found.ece < 0.15
    assert abs(found.line.weights).max() < 0.3


def test_what_says_the_opposite_of_unseen_answers_counts_for_nothing() -> None:
    """Each topic turns the meaning of its feature over, as seen from the others."""
    rows = np.concatenate((np.linspace(1, 2, 60), np.linspace(-2, -1, 60), np.linspace(-0.1, 0.1, 60)))[:, None]
    correct = np.concatenate((np.zeros(60), np.ones(60), np.tile([0.0, 1.0], 30)))
    alike = np.concatenate((rows, -rows))
    turned = np.concatenate((correct, correct))
    found = regress(Lesson(alike, turned, np.ones(360), ["x"] * 180 + ["y"] * 180))

    assert found.line.weights.tolist() == [0.0]
    assert found.line.intercept == pytest.approx(0.0, abs=0.05)


def test_a_feature_never_says_the_opposite_of_what_it_says_alone() -> None:
    """The second is the first with some noise: a regression would use it to take the noise out again."""
    chance = np.random.default_rng(3)
    cause, noise = chance.normal(size=400), chance.normal(size=400)
    correct = (chance.random(400) < 1 / (1 + np.exp(-2 * cause))).astype(float)
    rows = np.stack((cause + 0.5 * noise, 0.3 * cause + noise), axis=1)
    found = regress(Lesson(rows, correct, np.ones(400), range(400)))

    assert np.corrcoef(rows[:, 1], correct)[0, 1] > 0
    assert found.line.weights[0] > 1
    assert found.line.weights[1] == 0


def test_topics_of_different_difficulty_do_not_hide_what_a_feature_tells() -> None:
    chance = np.random.default_rng(5)
    topic = np.repeat(np.arange(5), 60)
    rows = chance.normal(size=(300, 1))
    likely = 1 / (1 + np.exp(-(1.2 * rows[:, 0] + 2.0 * (topic - 2))))
    found = regress(Lesson(rows, (chance.random(300) < likely).astype(float), np.ones(300), topic.tolist()))

    assert found.line.weights[0] > 0.3
    assert found.auroc is not None
    assert found.auroc > 0.68


def test_a_feature_that_never_differs_counts_for_nothing() -> None:
    told = lesson(200)
    told.rows[:, 1] = 7.0
    found = regress(told)

    assert found.line.weights[1] == pytest.approx(0.0, abs=1e-6)
    assert found.line.scales[1] == 1.0


def test_what_is_far_away_counts_no_more_than_four_spreads() -> None:
    line = regress(lesson(200)).line
    far, farther = line.scores(np.array([[1e3, 0.0], [1e9, 0.0]]))

    assert far == farther


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_labels_of_one_kind_teach_nothing(right: float) -> None:
    told = lesson(60)
    told.correct[:] = right

    with pytest.raises(NothingToFitError, match="right answers and wrong ones"):
        regress(told)


def test_without_scikit_learn_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from tests.app.confidence.test_regression import lesson\n"
        "from app.confidence.regression import NoScikitLearnError, regress\n"
        "try: regress(lesson(60))\n"
        "except NoScikitLearnError as error: print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout == "scikit-learn is not installed: pip install 'isotherm[calibrate]'\n"
