"""From labelled answers to a calibration: what signals say about answers, model by model, and how sure that is."""

from __future__ import annotations

import glob
import json
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from app.confidence.calibration import VERSION, Calibration, read_calibration
from app.confidence.estimate import estimate
from app.confidence.labelled import Labelled
from app.confidence.regression import DIGITS, Lesson, NothingToFitError, Regression, divide, regress
from app.domain.confidence import Confidence

Tree = dict[str, Any]
Looks = Sequence[Mapping[str, float]]

#: Sets of signals by name; a fit has the first set of which an answer has all.
FEATURES: Mapping[str, Sequence[str]] = {
    "log-probabilities": ("logprob_mean", "logprob_low"),
}

#: Where nothing but the text is known. That says too little of other models' answers: no default is made of it.
TEXTS: Mapping[str, Sequence[str]] = {
    "text with sums": ("false_sums", "numbers_used", "uneven_end", "unended", "log_chars"),
    "text": ("unended", "log_chars"),
}

#: Those of answers that are still being written.
RUNNING: Sequence[str] = FEATURES["log-probabilities"]

#: By what wrong answers become fewer, where no labels tell: a sum that was worked out here is right.
PROOFS: Mapping[str, float] = {"sum_right": 0.02}

#: What is known already teaches a fit nothing of what is not.
_DECIDED = ("sum_right", "sum_wrong")

#: So many labels make a fit.
FIT_FROM = 50

#: So many make a prior of a model, or a factor of a defect.
KNOWN_FROM = 20

_TOPICS = 3  # fewer can't be held out
_HAS = 0.5  # from here on an answer has a defect
_UNMEASURED = 0.5  # prior of a model with too few labels, while calibrations are compared


def calibrate(
    labelled: Sequence[Labelled],
    defects: Mapping[str, float],
    *,
    features: Mapping[str, Sequence[str]] = FEATURES,
    running: Sequence[str] = RUNNING,
    source: str = "",
    fit_from: int = FIT_FROM,
) -> Tree:
    """What app.confidence.calibration reads, as JSON. `defects` are factors of those that the labels do not tell of.

    Labels that are too few, or all alike, make no fit; nor does an empty set of signals. Raises NoScikitLearnError.
    """
    groups = {group: list(_fits(each, features, running, fit_from)) for group, each in _groups(labelled).items()}
    of_all = next(iter(groups.values())) if len(groups) == 1 else list(_fits(labelled, features, running, fit_from))
    tree: Tree = {
        "version": VERSION,
        "fitted_on": {"source": source, "labels": len(labelled), "right": sum(each.correct for each in labelled)},
        "fits": [
            *(
                {
                    "name": f"{model} {workload}: {kind}",
                    "models": [glob.escape(model)],
                    "workloads": [glob.escape(workload)],
                    **fit,
                }
                for (model, workload), fits in groups.items()
                for kind, fit in fits
            ),
            *({"name": f"any: {kind}", "models": ["*"], "workloads": ["*"], **fit} for kind, fit in of_all),
        ],
        "defects": {name: {"factor": factor, "labels": 0} for name, factor in defects.items()},
        "proofs": {name: {"factor": factor, "labels": 0} for name, factor in PROOFS.items()},
        "priors": _priors(labelled),
    }
    for kind in ("defects", "proofs"):
        for name in tree[kind]:
            _measure(kind, name, tree, labelled)
    return tree


def as_calibration(tree: Tree) -> Calibration:
    return read_calibration(json.dumps(tree).encode())


def held_out(
    labelled: Sequence[Labelled], defects: Mapping[str, float], features: Mapping[str, Sequence[str]] = FEATURES
) -> tuple[list[Confidence], list[int]]:
    """For each answer, what a calibration thinks of it that has seen neither it nor others of its topic; and which did.

    Those calibrations make do with as much fewer labels for a fit as they have.
    """
    folds = divide(_topics(labelled), [each.correct for each in labelled])
    found: dict[int, Confidence] = {}
    for fold in set(folds.tolist()):
        seen = [each for each, place in zip(labelled, folds, strict=True) if place != fold]
        fit_from = FIT_FROM * len(seen) // len(labelled)
        tree = calibrate(seen, defects, features=features, running=(), fit_from=fit_from)
        calibration = as_calibration(tree)
        for number in np.flatnonzero(folds == fold).tolist():
            found[number] = judged(labelled[number], calibration)
    return [found[number] for number in range(len(labelled))], folds.tolist()


def judged(each: Labelled, calibration: Calibration) -> Confidence:
    return estimate(each.signals, calibration, _UNMEASURED, model=each.model, workload=each.workload)


def _groups(labelled: Sequence[Labelled]) -> dict[tuple[str, str], list[Labelled]]:
    """By model and workload, in the order in which they first come."""
    groups: dict[tuple[str, str], list[Labelled]] = {}
    for each in labelled:
        groups.setdefault((each.model, each.workload), []).append(each)
    return groups


def _topics(labelled: Sequence[Labelled]) -> list[Hashable]:
    """What must not be parted: answers of a topic; each answer is one of its own where there are too few topics."""
    if len({each.topic for each in labelled} - {None}) < _TOPICS:
        return list(range(len(labelled)))
    return [number if each.topic is None else each.topic for number, each in enumerate(labelled)]


def _fits(
    labelled: Sequence[Labelled], features: Mapping[str, Sequence[str]], running: Sequence[str], fit_from: int
) -> Iterator[tuple[str, Tree]]:
    """By the names of their kinds."""
    for kind, names in features.items():
        fit = _fit(labelled, [[each.signals] for each in labelled], names, fit_from)
        if fit is not None:
            yield kind, {"beginnings": False, **fit}
    fit = _fit(labelled, [each.beginnings for each in labelled], running, fit_from)
    if fit is not None:
        yield "beginning", {"beginnings": True, **fit}


def _fit(labelled: Sequence[Labelled], looks: Sequence[Looks], names: Sequence[str], fit_from: int) -> Tree | None:
    """Of the answers that have all of these signals, each in as many looks; None where they teach too little."""
    topics = _topics(labelled)
    rows, correct, weights, groups = list[list[float]](), list[bool](), list[float](), list[Hashable]()
    for topic, each, seen in zip(topics, labelled, looks, strict=True):
        usable = [row for signals in seen if (row := _row(signals, names)) is not None]
        rows += usable
        correct += [each.correct] * len(usable)
        weights += [1 / max(1, len(usable))] * len(usable)
        groups += [topic] * len(usable)
    labels = round(sum(weights))
    if not names or labels < max(fit_from, 1):
        return None
    try:
        lesson = Lesson(np.array(rows), np.array(correct, float), np.array(weights), groups)
        share = float(np.average(lesson.correct, weights=lesson.weights))
        return {"labels": labels, "right": round(share, DIGITS), **_described(regress(lesson), names)}
    except NothingToFitError:
        return None


def _row(signals: Mapping[str, float], names: Sequence[str]) -> list[float] | None:
    if any(name in signals for name in _DECIDED):
        return None
    row = [signals[name] for name in names if name in signals]
    return row if len(row) == len(names) and all(map(math.isfinite, row)) else None


def _described(regression: Regression, names: Sequence[str]) -> Tree:
    line, curve = regression.line, regression.curve
    columns = zip(names, line.weights, line.means, line.scales, strict=True)
    return {
        "auroc": None if regression.auroc is None else round(regression.auroc, DIGITS),
        "ece": round(regression.ece, DIGITS),
        "brier": round(regression.brier, DIGITS),
        "intercept": _short(line.intercept),
        "features": {
            name: {"weight": _short(weight), "mean": _short(mean), "scale": _short(scale)}
            for name, weight, mean, scale in columns
        },
        "curve": {
            "scores": [round(score, DIGITS) for score in curve.scores],
            "probabilities": [round(each, DIGITS) for each in curve.probabilities],
        },
    }


def _short(number: float) -> float:
    return float(f"{number:.5g}")


def _priors(labelled: Sequence[Labelled]) -> Tree:
    """Shares of right answers, by Laplace's rule of succession: never 0 or 1."""
    found = {}
    for model in dict.fromkeys(each.model for each in labelled):
        answers = [each.correct for each in labelled if each.model == model]
        if len(answers) >= KNOWN_FROM:
            share = (sum(answers) + 1) / (len(answers) + 2)
            found[glob.escape(model)] = {"right": round(share, DIGITS), "labels": len(answers)}
    return found


def _measure(kind: str, name: str, tree: Tree, labelled: Sequence[Labelled]) -> None:
    """How much less often than is thought those are right that have this defect, or wrong that have this proof, where
    enough of them are known. Of what is known already only itself is told.
    """
    known = () if name in _DECIDED else _DECIDED
    cases = [each for each in labelled if each.signals.get(name, 0.0) >= _HAS and not {*known} & each.signals.keys()]
    if len(cases) < KNOWN_FROM:
        return
    others = {key: value for key, value in tree[kind].items() if key != name}
    calibration = as_calibration({**tree, kind: others})
    thought = sum(judged(each, calibration).probability for each in cases)
    right = sum(each.correct for each in cases)
    if kind == "proofs":
        thought, right = len(cases) - thought, len(cases) - right
    factor = min(1.0, (right + 0.5) / (len(cases) + 1) * len(cases) / thought) if thought else 1.0
    tree[kind][name] = {"factor": round(factor, DIGITS), "labels": len(cases)}
