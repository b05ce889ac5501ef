"""AUROC, calibration error, Brier score, cost and their intervals, against what was worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.figures import (
    Bin,
    Cost,
    auroc,
    bootstrap,
    brier,
    cost_curve,
    ece,
    reliability,
    share_to_reach,
)

ANSWERS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=1, max_size=40)


def columns(answers: list[tuple[bool, float]]) -> tuple[list[float], list[float]]:
    return [float(right) for right, _ in answers], [said for _, said in answers]


def test_auroc_counts_the_pairs_in_the_right_order() -> None:
    assert auroc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == 3 / 4


def test_auroc_counts_a_tie_as_half_a_pair() -> None:
    assert auroc([1, 0, 1, 0], [0.5, 0.5, 0.7, 0.1]) == 3.5 / 4
    assert auroc([1, 0, 0, 1], [0.3] * 4) == 0.5


@pytest.mark.parametrize("correct", [[1, 1, 1], [0, 0, 0]])
def test_auroc_of_answers_of_one_kind_is_unknown(correct: list[float]) -> None:
    assert auroc(correct, [0.1, 0.2, 0.3]) is None


def test_auroc_in_parts_compares_only_what_one_calibration_said() -> None:
    correct, said, parts = [1, 0, 1, 0, 1], [0.9, 0.8, 0.3, 0.1, 0.7], [0, 0, 1, 1, 2]

    assert auroc(correct, said) == pytest.approx(4 / 6)
    assert auroc(correct, said, parts) == 1.0


@given(ANSWERS)
def test_auroc_is_what_scikit_learn_finds(answers: list[tuple[bool, float]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    correct, said = columns(answers)
    found = auroc(correct, said)

    if 0 < sum(correct) < len(correct):
        assert found == pytest.approx(metrics.roc_auc_score(correct, said))
    else:
        assert found is None


@given(ANSWERS)
def test_auroc_turns_over_when_the_order_does(answers: list[tuple[bool, float]]) -> None:
    correct, said = columns(answers)
    there, back = auroc(correct, said), auroc(correct, [-each for each in said])

    assert (there is None and back is None) or there == pytest.approx(1 - (back or 0.0))


def test_brier_is_the_mean_squared_distance() -> None:
    assert brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)


def test_bins_have_equal_mass_and_come_in_order() -> None:
    rows = reliability([0, 1, 0, 1], [0.1, 0.9, 0.3, 0.7], bins=2)

    assert [(row.labels, row.said, row.right) for row in rows] == [(2, 0.2, 0.0), (2, 0.8, 1.0)]


def test_equal_probabilities_share_a_bin() -> None:
    assert reliability([0, 1, 1, 0, 1], [0.5] * 5) == [Bin(5, 0.5, 0.6)]


def test_a_constant_that_is_the_share_of_right_answers_has_no_calibration_error() -> None:
    assert ece([1, 0, 0, 0], [0.25] * 4) == 0


def test_calibration_error_weighs_bins_by_their_answers() -> None:
    assert ece([1, 1, 1, 0], [0.9, 0.9, 0.9, 0.4]) == pytest.approx(0.75 * 0.1 + 0.25 * 0.4)


@given(ANSWERS)
def test_bins_hold_every_answer_once(answers: list[tuple[bool, float]]) -> None:
    correct, said = columns(answers)
    rows = reliability(correct, said)

    assert sum(row.labels for row in rows) == len(answers)
    assert sum(row.labels * row.right for row in rows) == pytest.approx(sum(correct))
    assert sum(row.labels * row.said for row in rows) == pytest.approx(sum(said))
    assert [row.said for row in rows] == sorted(row.said for row in rows)
    assert len(rows) <= 15


def test_the_least_likely_are_sent_on_first() -> None:
    curve = cost_curve([1, 0, 1, 0], [0.9, 0.2, 0.8, 0.7])

    assert curve == [Cost(0, 0.5), Cost(0.25, 0.75), Cost(0.5, 1), Cost(0.75, 1), Cost(1, 1)]
    assert share_to_reach(0.95, curve) == 0.5


def test_equal_probabilities_are_sent_on_by_chance() -> None:
    assert [cost.right for cost in cost_curve([1, 0, 1, 0], [0.5] * 4)] == pytest.approx([0.5, 0.625, 0.75, 0.875, 1])


def test_a_larger_model_that_errs_too_may_make_it_worse() -> None:
    curve = cost_curve([1, 0], [0.9, 0.1], larger=[0.0, 0.5])

    assert [cost.right for cost in curve] == [0.5, 0.75, 0.25]
    assert share_to_reach(0.95, curve) is None


def test_what_is_reached_already_costs_nothing() -> None:
    assert share_to_reach(0.5, cost_curve([1, 0], [0.1, 0.9])) == 0


@given(ANSWERS)
def test_no_order_is_cheaper_than_the_true_one(answers: list[tuple[bool, float]]) -> None:
    correct, said = columns(answers)
    known, guessed = share_to_reach(0.95, cost_curve(correct, correct)), share_to_reach(0.95, cost_curve(correct, said))

    assert known is not None
    assert guessed is not None
    assert known <= guessed


def test_an_interval_holds_the_value_and_is_the_same_every_time() -> None:
    correct, said = [1.0, 0.0] * 50, [0.6, 0.4, 0.3, 0.7] * 25
    first, second = bootstrap(brier, correct, said, samples=200), bootstrap(brier, correct, said, samples=200)

    assert first is not None
    assert first == second
    assert first.low <= first.value <= first.high
    assert first.high - first.low > 0.01


def test_more_answers_make_a_narrower_interval() -> None:
    few = bootstrap(auroc, [1, 0, 1, 0] * 5, [0.6, 0.4, 0.3, 0.7] * 5, samples=200)
    many = bootstrap(auroc, [1, 0, 1, 0] * 80, [0.6, 0.4, 0.3, 0.7] * 80, samples=200)

    assert few is not None
    assert many is not None
    assert many.high - many.low < few.high - few.low


def test_what_sampling_adds_to_a_calibration_error_is_taken_off_its_interval() -> None:
    correct, said = [1.0, 0.0] * 60, [number / 119 for number in range(120)]
    found = bootstrap(ece, correct, said, samples=300)

    assert found is not None
    assert 0 <= found.low < found.value < found.high


def test_samples_of_which_nothing_can_be_told_are_left_out() -> None:
    found = bootstrap(auroc, [1, 0], [0.9, 0.1], samples=50)

    assert found is not None
    assert (found.value, found.low, found.high) == (1, 1, 1)


def test_what_can_not_be_told_has_no_interval() -> None:
    assert bootstrap(auroc, [1, 1], [0.9, 0.1]) is None


def test_nothing_has_no_figures() -> None:
    with pytest.raises(ValueError, match="there have to be labels"):
        brier([], [])
    with pytest.raises(ValueError, match="as many probabilities"):
        ece([1, 0], [0.5])


def test_a_figure_is_a_plain_number() -> None:
    assert {type(each) for each in (auroc([1, 0], [1, 0]), brier([1], [1]), ece([1], [1]))} == {float}
    assert not math.isnan(ece([1], [1]))
