"""From signals to a probability: which fit counts, what it makes of them, and what defects take of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.calibration import Calibration, Curve, Feature, Fit
from app.confidence.estimate import PRIOR, estimate
from app.domain.confidence import Confidence

FINITE = st.floats(-1e6, 1e6)
#: A defect is there or is not, or to some degree; everything else may be any number, or none.
SIGNALS = st.fixed_dictionaries(
    {}, optional={"a": st.floats(), "b": st.floats(), "verifier": st.floats(), "loop": st.floats(min_value=0)}
)


def fit(name: str = "any", intercept: float = 0.0, **more: object) -> Fit:
    told: dict[str, object] = {"features": {"a": Feature(2.0, 1.0, 0.5)}, "curve": Curve(), **more}
    return Fit(name, intercept=intercept, **told)  # type: ignore[arg-type]


def judged(signals: dict[str, float], *fits: Fit, prior: float = 0.8, **more: object) -> Confidence:
    of_file = {key: more.pop(key) for key in ("defects", "proofs", "priors") if key in more}
    return estimate(signals, Calibration(fits, **of_file), prior, **more)  # type: ignore[arg-type]


def test_a_fit_without_points_is_the_logistic_function_itself() -> None:
    told = judged({"a": 1.5}, fit(intercept=-1.0))

    assert told.probability == pytest.approx(1 / (1 + math.exp(-(-1.0 + 2.0 * (1.5 - 1.0) / 0.5))))
    assert told.by == "any"


@pytest.mark.parametrize(
    ("score", "probability"), [(-9, 0.2), (-1, 0.2), (0, 0.4), (1, 0.6), (2, 0.75), (3, 0.9), (9, 0.9)]
)
def test_between_the_points_of_a_curve_are_straight_lines_and_beyond_them_its_ends(
    score: float, probability: float
) -> None:
    curve = Curve((-1.0, 1.0, 3.0), (0.2, 0.6, 0.9))
    identity = {"a": Feature(1.0, 0.0, 1.0)}

    told = judged({"a": 0.0}, fit(intercept=score, features=identity, curve=curve))

    assert told.probability == pytest.approx(probability)


def test_a_signal_far_from_all_that_was_fitted_counts_no_more() -> None:
    far, farther = (judged({"a": 1.0 + 0.5 * spreads}, fit()).probability for spreads in (4.0, 4000.0))

    assert far == farther < 1.0


def test_the_first_fit_that_suits_counts() -> None:
    special, other = fit("special", models=("smol*",), workloads=("code",)), fit("other")

    def by(model: str, workload: str) -> str:
        return judged({"a": 1.0}, special, other, model=model, workload=workload).by

    assert [by("smollm2", "code"), by("smollm2", "text"), by("qwen", "code")] == ["special", "other", "other"]


def test_a_fit_needs_all_of_its_signals_and_no_others() -> None:
    both = fit("both", features={"a": Feature(1, 0, 1), "b": Feature(1, 0, 1)})

    assert judged({"a": 0.0, "b": 0.0, "c": 0.0}, both).by == "both"
    assert judged({"a": 0.0, "c": 0.0}, both).by == PRIOR
    assert judged({"a": 0.0, "b": math.nan}, both).by == PRIOR


def test_a_fit_of_beginnings_is_for_beginnings_alone() -> None:
    begun, whole = fit("begun", beginnings=True), fit("whole")

    assert judged({"a": 0.0}, begun, whole).by == "whole"
    assert judged({"a": 0.0}, begun, whole, beginning=True).by == "begun"
    assert judged({"a": 0.0}, whole, beginning=True).by == PRIOR


@pytest.mark.parametrize(("model", "prior"), [("smollm2", 0.3), ("qwen3:8b", 0.8), ("smollm2:big", 0.9)])
def test_without_a_fit_it_is_the_prior_of_the_model(model: str, prior: float) -> None:
    told = judged({}, priors={"*:big": 0.9, "smol*": 0.3}, model=model)

    assert told.probability == pytest.approx(prior)
    assert told.by == PRIOR


@pytest.mark.parametrize(("value", "probability"), [(0.0, 0.8), (1.0, 0.08), (0.5, 0.8 * 0.1**0.5), (7.0, 0.08)])
def test_a_defect_takes_its_part_in_proportion_and_once(value: float, probability: float) -> None:
    assert judged({"loop": value}, defects={"loop": 0.1}).probability == pytest.approx(probability)


def test_several_defects_take_their_parts_one_after_the_other() -> None:
    told = judged({"loop": 1.0, "empty": 1.0, "other": 1.0}, defects={"loop": 0.5, "empty": 0.5, "refusal": 0.0})

    assert told.probability == pytest.approx(0.2)


def test_a_defect_that_is_certain_leaves_nothing() -> None:
    assert judged({"empty": 1.0}, defects={"empty": 0.0}).probability == 0.0


@pytest.mark.parametrize(("value", "probability"), [(0.0, 0.8), (1.0, 0.98), (0.5, 1 - 0.2 * 0.1**0.5), (7.0, 0.98)])
def test_a_proof_takes_its_part_of_what_is_missing(value: float, probability: float) -> None:
    assert judged({"sum_right": value}, proofs={"sum_right": 0.1}).probability == pytest.approx(probability)


# --- another share of right answers than that of the labels

SHARES = st.floats(0.01, 0.99)
SCORES = st.floats(-6, 6)
#: A signal that is the score itself.
SCORE = {"a": Feature(1.0, 0.0, 1.0)}


def moved(score: float, right: float | None, prior: float, *models: str, **more: object) -> float:
    found = fit(features=SCORE, right=right, models=models or ("*",), intercept=score)
    return judged({"a": 0.0}, found, prior=prior, model="m", **more).probability


def odds(probability: float) -> float:
    return probability / (1 - probability)


@given(SCORES, SHARES, SHARES)
def test_a_fit_for_any_model_is_moved_by_the_odds_of_the_shares(score: float, right: float, prior: float) -> None:
    told = moved(score, right, prior)

    assert odds(told) == pytest.approx(math.exp(score) * odds(prior) / odds(right), rel=1e-6)


@pytest.mark.parametrize("right", [0.0, 0.2, 0.9, 1.0, None])
@pytest.mark.parametrize("models", [("m",), ("m*",), ("?", "n"), ("[m]",)])
def test_a_fit_of_models_that_were_there_is_never_moved(models: tuple[str, ...], right: float | None) -> None:
    found = {moved(1.0, right, prior, *models) for prior in (0.05, 0.5, 0.95)}

    assert found == {1 / (1 + math.exp(-1.0))}


def test_a_fit_that_does_not_say_its_share_is_not_moved() -> None:
    assert {moved(1.0, None, prior) for prior in (0.05, 0.5, 0.95)} == {1 / (1 + math.exp(-1.0))}


@given(SCORES, SHARES)
def test_equal_shares_change_nothing(score: float, share: float) -> None:
    assert moved(score, share, share) == moved(score, None, share)


@given(SCORES, SHARES, st.lists(SHARES, min_size=2, max_size=5))
def test_the_higher_the_share_of_the_model_the_likelier_and_that_of_the_labels_the_less(
    score: float, right: float, shares: list[float]
) -> None:
    shares.sort()
    by_model = [moved(score, right, share) for share in shares]
    by_labels = [moved(score, share, right) for share in shares]

    assert by_model == sorted(by_model)
    assert by_labels == sorted(by_labels, reverse=True)
    if shares[-1] - shares[0] > 0.001:
        assert by_model[0] < by_model[-1]
        assert by_labels[0] > by_labels[-1]


@given(st.lists(SCORES, min_size=2, max_size=5), SHARES, SHARES)
def test_surer_answers_stay_likelier_when_they_are_moved(scores: list[float], right: float, prior: float) -> None:
    found = [moved(score, right, prior) for score in sorted(scores)]

    assert found == sorted(found)


@given(st.floats(-700, 700), st.floats(0, 1), st.floats(0, 1))
def test_whatever_is_moved_it_is_never_beyond_all_doubt(score: float, right: float, prior: float) -> None:
    assert 0.0 <= moved(score, right, prior) <= 1.0


@pytest.mark.parametrize(("share", "least"), [(0.0, 0.01), (1.0, 0.99), (0.001, 0.01), (0.9999, 0.99)])
def test_no_share_is_taken_for_all_or_nothing(share: float, least: float) -> None:
    assert moved(0.0, share, 0.5) == moved(0.0, least, 0.5)
    assert moved(0.0, 0.5, share) == moved(0.0, 0.5, least)


def test_the_share_of_a_model_that_was_measured_counts_rather_than_the_prior_of_all() -> None:
    measured = moved(0.0, 0.5, 0.9, priors={"n": 0.7, "m": 0.2})

    assert measured == pytest.approx(0.2)


def test_what_defects_take_is_taken_of_what_was_moved() -> None:
    found = fit(features=SCORE, right=0.5)

    assert judged({"a": 0.0, "loop": 1.0}, found, prior=0.8, defects={"loop": 0.1}).probability == pytest.approx(0.08)


def test_what_is_no_number_is_no_signal() -> None:
    told = judged({"a": math.nan, "loop": math.inf, "b": 1.0}, fit(), defects={"loop": 0.1})

    assert told.signals == {"b": 1.0}
    assert (told.probability, told.by) == (0.8, PRIOR)


@given(SIGNALS, FINITE, st.booleans())
def test_whatever_the_signals_are_it_is_a_probability(signals: dict[str, float], intercept: float, early: bool) -> None:
    fits = [fit(intercept=intercept, curve=curve) for curve in (Curve(), Curve((0.0, 1.0), (0.0, 1.0)))]
    for each in fits:
        told = judged(signals, each, defects={"loop": 0.1}, beginning=early)
        assert 0.0 <= told.probability <= 1.0


@given(st.floats(0.001, 0.999), st.floats(0.02, 0.98), st.sampled_from(["verifier", "agreement"]))
def test_an_opinion_that_no_fit_knows_draws_it_towards_itself(prior: float, verdict: float, opinion: str) -> None:
    told = judged({opinion: verdict}, prior=prior).probability

    assert min(prior, verdict) - 1e-9 <= told <= max(prior, verdict) + 1e-9


@pytest.mark.parametrize("verdict", [0.0, 1.0])
def test_a_verdict_is_never_beyond_all_doubt(verdict: float) -> None:
    assert 0.0 < judged({"verifier": verdict}, prior=0.5).probability < 1.0


def test_a_verdict_that_the_fit_knows_counts_once() -> None:
    knows = fit(features={"verifier": Feature(0.0, 0.0, 1.0)}, intercept=1.0)

    assert judged({"verifier": 0.01}, knows).probability == pytest.approx(1 / (1 + math.exp(-1.0)))


def test_notes_go_along() -> None:
    assert judged({}, notes=("one", "two")).notes == ("one", "two")
