"""Calibrations made of labelled answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.confidence.calibrate import FEATURES, PROOFS, RUNNING, as_calibration, calibrate, held_out, judged
from app.confidence.estimate import estimate
from app.confidence.figures import auroc, ece
from app.confidence.labelled import Labelled, read_labelled
from app.domain.confidence import Confidence
from tests.app.confidence.labels import labelled, line, token, written

AB = {"both": ("a", "b")}


def tree_of(answers: list[Labelled], **options: Any) -> dict[str, Any]:
    return calibrate(answers, {}, features=AB, running=("a", "b"), **options)


def names(answers: list[Labelled]) -> list[str]:
    return [fit.name for fit in as_calibration(tree_of(answers)).fits]


def said(answer: Labelled, answers: list[Labelled], **defects: float) -> Confidence:
    return judged(answer, as_calibration(calibrate(answers, defects, features=AB, running=())))


def test_a_model_has_a_fit_of_whole_answers_and_one_of_beginnings_and_so_has_any() -> None:
    answers = labelled(60)

    assert names(answers) == ["small text: both", "small text: beginning", "any: both", "any: beginning"]


def test_each_model_and_workload_has_its_own() -> None:
    code = [replace(each, workload="code") for each in labelled(60, 1)]
    large = [replace(each, beginnings=()) for each in labelled(60, 2, model="large")]
    found = names([*labelled(60), *code, *large])

    assert found[:5] == [
        *("small text: both", "small text: beginning", "small code: both", "small code: beginning"),
        "large text: both",
    ]
    assert found[5:] == ["any: both", "any: beginning"]


def test_fewer_than_fifty_labels_make_no_fit_of_their_own() -> None:
    few = labelled(49, 1, model="large")

    assert names(few) == []
    assert names([*labelled(60), *few])[2:] == ["any: both", "any: beginning"]


def test_labels_that_are_all_alike_make_no_fit_but_a_prior() -> None:
    tree = tree_of([replace(each, correct=True) for each in labelled(60)])

    assert tree["fits"] == []
    assert tree["priors"] == {"small": {"right": round(61 / 62, 4), "labels": 60}}


def test_answers_without_a_signal_are_not_fitted() -> None:
    without = [replace(each, signals={"a": 1.0}, beginnings=()) for each in labelled(100, 1)]
    tree = as_calibration(tree_of([*labelled(60), *without]))

    assert [fit.labels for fit in tree.fits] == [60] * 4
    assert judged(without[0], tree).by == "prior"


def test_every_fit_tells_the_share_of_right_answers_that_it_was_made_of() -> None:
    sets = (("small", 60), ("large", 80))
    answers = [
        replace(each, correct=number % 4 == 0 if model == "large" else number % 2 == 0)
        for model, count in sets
        for number, each in enumerate(labelled(count, count, model=model))
    ]
    tree = tree_of(answers)

    shares = [(fit.name, fit.right) for fit in as_calibration(tree).fits]
    of_all = round((30 + 20) / 140, 4)
    assert shares == [
        *((f"small text: {kind}", 0.5) for kind in ("both", "beginning")),
        *((f"large text: {kind}", 0.25) for kind in ("both", "beginning")),
        *((f"any: {kind}", of_all) for kind in ("both", "beginning")),
    ]
    assert [fit["right"] for fit in tree["fits"]] == [share for _, share in shares]


def test_answers_that_taught_a_fit_nothing_are_not_in_its_share() -> None:
    answers = [replace(each, correct=number % 2 == 0) for number, each in enumerate(labelled(60))]
    without = [replace(each, signals={}, beginnings=(), correct=False) for each in labelled(100, 1)]

    assert {fit.right for fit in as_calibration(tree_of([*answers, *without])).fits} == {0.5}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_signal_that_is_no_number_is_none(value: float) -> None:
    odd = [replace(each, signals={"a": value, "b": 1.0}) for each in labelled(60, 1)]

    assert [fit.labels for fit in as_calibration(tree_of([*labelled(60), *odd])).fits][:2] == [60, 120]


def test_the_first_set_of_signals_that_an_answer_has_is_used() -> None:
    answers = labelled(100)
    tree = calibrate(answers, {}, features={"both": ("a", "b"), "one": ("b",)}, running=())
    poor = replace(answers[0], signals={"b": 0.0})

    assert judged(answers[0], as_calibration(tree)).by == "small text: both"
    assert judged(poor, as_calibration(tree)).by == "small text: one"


def test_a_model_whose_name_looks_like_a_glob_is_fitted_by_its_name() -> None:
    tree = as_calibration(tree_of(labelled(60, model="m[1]*")))

    assert tree.fits[0].suits("m[1]*", "text")
    assert not tree.fits[0].suits("m1", "text")


def test_surer_signals_mean_a_likelier_answer() -> None:
    answers = labelled(300)
    low, high = (replace(answers[0], signals={"a": a, "b": 0.0}) for a in (-1.5, 1.5))

    assert said(low, answers).probability < 0.2
    assert said(high, answers).probability > 0.8


def test_beginnings_are_judged_by_their_own_fit() -> None:
    calibration = as_calibration(tree_of(labelled(60)))
    found = estimate({"a": 0.0, "b": 0.0}, calibration, 0.5, model="small", workload="text", beginning=True)

    assert found.by == "small text: beginning"


def test_what_is_held_out_is_judged_well_and_by_calibrations_that_did_not_see_it() -> None:
    answers = labelled(600, topics=6)
    found, parts = held_out(answers, {}, AB)
    correct = [float(each.correct) for each in answers]
    probabilities = [each.probability for each in found]

    assert (auroc(correct, probabilities, parts) or 0.0) > 0.8
    assert ece(correct, probabilities) < 0.08
    by_topic = {(each.topic, part) for each, part in zip(answers, parts, strict=True)}
    assert len(by_topic) == 6
    assert {each.by for each in found} == {"small text: both"}


def test_answers_that_nothing_foretells_are_not_foretold() -> None:
    answers = labelled(600, strength=0.0)
    found, parts = held_out(answers, {}, AB)

    value = auroc([float(each.correct) for each in answers], [each.probability for each in found], parts)
    assert value == pytest.approx(0.5, abs=0.08)


def test_the_prior_of_a_model_is_its_share_of_right_answers_and_never_certain() -> None:
    answers = [replace(each, correct=number < 5) for number, each in enumerate(labelled(20))]

    assert as_calibration(tree_of(answers)).priors == {"small": round(6 / 22, 4)}
    assert as_calibration(tree_of(answers[:19])).priors == {}


def test_a_defect_counts_as_much_as_labels_say() -> None:
    looped = [
        replace(each, correct=number % 10 == 0, signals={**each.signals, "loop": 1.0})
        for number, each in enumerate(labelled(50, 1))
    ]
    tree = calibrate([*labelled(600), *looped], {"loop": 0.9, "empty": 0.0}, features=AB, running=())

    assert tree["defects"]["empty"] == {"factor": 0.0, "labels": 0}
    assert tree["defects"]["loop"]["labels"] == 50
    assert 0.1 < tree["defects"]["loop"]["factor"] < 0.4


def test_a_defect_that_does_no_harm_takes_nothing() -> None:
    marked = [replace(each, signals={**each.signals, "loop": 1.0}) for each in labelled(300)]
    tree = calibrate(marked, {"loop": 0.1}, features=AB, running=())

    assert tree["defects"]["loop"]["factor"] > 0.95


def test_a_defect_of_too_few_answers_keeps_its_factor() -> None:
    rare = [replace(each, correct=False, signals={**each.signals, "loop": 1.0}) for each in labelled(19, 1)]
    tree = calibrate([*labelled(100), *rare], {"loop": 0.3}, features=AB, running=())

    assert tree["defects"]["loop"] == {"factor": 0.3, "labels": 0}


def test_a_calibration_says_what_it_was_made_of() -> None:
    answers = labelled(60)
    tree = tree_of(answers, source="answers.jsonl")

    assert tree["version"] == 1
    right = sum(each.correct for each in answers)
    assert tree["fitted_on"] == {"source": "answers.jsonl", "labels": 60, "right": right}


def test_no_answers_make_a_calibration_that_knows_nothing() -> None:
    tree = as_calibration(calibrate([], {"empty": 0.0}))

    assert (tree.fits, tree.priors, tree.defects) == ((), {}, {"empty": 0.0})


def test_the_same_labels_make_the_same_calibration() -> None:
    assert tree_of(labelled(60)) == tree_of(labelled(60))


def test_what_fits_use_by_default_is_what_signals_tell(tmp_path: Path) -> None:
    told = line(finish_reason="stop", logprobs=[token(-0.5), token(-0.1)])
    (found,) = read_labelled(written(tmp_path / "answers.jsonl", told))

    for chosen in FEATURES.values():
        assert set(chosen) <= found.signals.keys()
    assert set(RUNNING) <= found.beginnings[0].keys()


def worked_out(count: int, right: int) -> list[Labelled]:
    """Answers to sums that were worked out; their log-probabilities tell the opposite of what is true."""
    return [
        replace(
            each,
            correct=number < right,
            signals={
                **dict.fromkeys(("a", "b"), -10.0 if number < right else 10.0),
                **{"sum_right": float(number < right), "sum_wrong": float(number >= right), "noise": 1.0},
            },
            beginnings=(),
        )
        for number, each in enumerate(labelled(count, 1))
    ]


def test_what_is_known_already_teaches_a_fit_nothing() -> None:
    fits = [tree_of([*labelled(60), *more])["fits"][0] for more in ([], worked_out(100, 50))]

    assert fits[0]["labels"] == fits[1]["labels"] == 60
    assert fits[0]["features"] == fits[1]["features"]


def test_a_proof_is_measured_where_enough_answers_have_it_and_taken_on_trust_where_not() -> None:
    few, many = (tree_of([*labelled(60), *worked_out(count, count)])["proofs"]["sum_right"] for count in (19, 100))

    assert few == {"factor": PROOFS["sum_right"], "labels": 0}
    assert many["labels"] == 100
    assert many["factor"] < 0.02


def test_a_proof_makes_an_answer_right_whatever_its_tokens_say() -> None:
    sums = worked_out(100, 50)
    calibration = as_calibration(calibrate([*labelled(60), *sums], {"sum_wrong": 0.02}, features=AB, running=()))

    assert judged(sums[0], calibration).probability > 0.95
    assert judged(sums[-1], calibration).probability < 0.05


def test_a_defect_is_not_measured_by_answers_of_which_more_is_known() -> None:
    answers = [*labelled(60), *worked_out(100, 0)]

    assert tree_of(answers)["defects"] == {}
    tree = calibrate(answers, {"noise": 0.3, "sum_wrong": 0.1}, features=AB, running=())
    assert tree["defects"]["noise"] == {"factor": 0.3, "labels": 0}
    assert tree["defects"]["sum_wrong"]["labels"] == 100
