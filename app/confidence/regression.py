"""A logistic regression of labelled answers, and the curve that makes probabilities of its scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.confidence import figures
from app.confidence.calibration import Curve
from app.domain.errors import IsothermError

Numbers = NDArray[np.float64]

#: So many answers make an isotonic regression better than a straight line.
ISOTONIC_FROM = 500

#: Of a score, after the point.
DIGITS = 4

_FOLDS = 5
_POINTS = 20
_PENALTY = 10.0
_FREEDOM = 3.0  # topics are penalised so much less
_KNOWN_FROM = 10  # rows of a topic: more than an answer has beginnings
_FARTHEST = 4.0  # spreads from the mean: as far as estimates look
_TIGHT = 1e-6  # a feature that never differs has no spread


class NothingToFitError(IsothermError):
    """The labels are all alike."""


class NoScikitLearnError(IsothermError):
    """It is not installed."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be learnt from: a row of features for each label. Rows of one group are never parted.

    Rows weigh as much as they say: those of one answer together 1.
    """

    rows: Numbers
    correct: Numbers
    weights: Numbers
    groups: Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class Line:
    """Weights of features in units of their own spread."""

    weights: Numbers
    means: Numbers
    scales: Numbers
    intercept: float

    def away(self, rows: Numbers) -> Numbers:
        """In spreads from the mean."""
        return np.clip((rows - self.means) / self.scales, -_FARTHEST, _FARTHEST)

    def scores(self, rows: Numbers) -> Numbers:
        scores: Numbers = self.away(rows) @ self.weights + self.intercept
        return scores


class Step(NamedTuple):
    """Neighbours of one level: sums of their weights, of their scores and of the right ones among them."""

    labels: float
    scores: float
    right: float


@dataclass(frozen=True, slots=True)
class Regression:
    """`auroc`, `ece` and `brier` are of rows that it had not seen."""

    line: Line
    curve: Curve
    auroc: float | None
    ece: float
    brier: float


def divide(groups: Sequence[Hashable], correct: Sequence[bool] | Numbers, folds: int = _FOLDS) -> NDArray[np.int64]:
    """A fold for each row: groups stay whole, folds are alike in size, and in right answers where groups are small."""
    sizes, right = Counter(groups), Counter[Hashable]()
    for group, each in zip(groups, correct, strict=True):
        right[group] += bool(each)
    filled = [0] * min(folds, len(sizes))
    place: dict[Hashable, int] = {}
    for group in sorted(sizes, key=lambda each: (-sizes[each], right[each])):
        place[group] = lightest = filled.index(min(filled))
        filled[lightest] += sizes[group]
    return np.array([place[group] for group in groups])


def regress(lesson: Lesson) -> Regression:
    """Raises NothingToFitError, NoScikitLearnError.

    The curve is of scores whose weights come from regressions that had not seen the row: isotonic with 500 answers or
    more (Zadrozny and Elkan, 2002), else Platt's (1999), which is folded into the weights.
    """
    correct, everything = lesson.correct, np.ones(len(lesson.correct), bool)
    parts = divide(lesson.groups, correct)
    units = _units(lesson)
    scores = np.empty(len(correct))
    for held in (parts == part for part in np.unique(parts)):
        scores[held] = replace(units, weights=_weights(lesson, units, ~held)).scores(lesson.rows[held])
    said = np.empty(len(correct))
    for held in (parts == part for part in np.unique(parts)):
        curve, slope, shift = _curve(lesson, scores, ~held)
        said[held] = _said(curve, slope * scores[held] + shift)
    curve, slope, shift = _curve(lesson, scores, everything)
    line = replace(units, weights=_weights(lesson, units, everything) * slope, intercept=shift)
    auroc = figures.auroc(correct, said, parts.tolist())
    return Regression(line, curve, auroc, figures.ece(correct, said), figures.brier(correct, said))


def _units(lesson: Lesson) -> Line:
    """A line that tells nothing yet."""
    means = np.average(lesson.rows, axis=0, weights=lesson.weights)
    scales = np.sqrt(np.average((lesson.rows - means) ** 2, axis=0, weights=lesson.weights))
    scales[scales < _TIGHT] = 1.0
    return Line(np.zeros(len(means)), means, scales, 0.0)


def _weights(lesson: Lesson, units: Line, chosen: NDArray[np.bool_]) -> Numbers:
    """By a logistic regression with an L2 penalty.

    Topics have intercepts of their own: that one is harder than another is nothing that a feature should tell, as the
    next may be otherwise. What says the opposite of what it says alone is left out: of questions about something else
    such a balance of features tells nothing.
    """
    away, correct, weights = units.away(lesson.rows[chosen]), lesson.correct[chosen], lesson.weights[chosen]
    topics = _topics([group for group, each in zip(lesson.groups, chosen, strict=True) if each])
    usual = (topics.T @ (weights * correct)) / (topics.T @ weights)
    alone = away.T @ (weights * (correct - topics @ usual))
    used = np.arange(away.shape[1])
    while True:
        found, _ = _logistic(np.hstack((away[:, used], _FREEDOM * topics)), correct, weights, _PENALTY)
        agreeing = found[: len(used)] * alone[used] >= 0
        if agreeing.all():
            break
        used = used[agreeing]
    told = np.zeros(away.shape[1])
    told[used] = found[: len(used)]
    return told


def _topics(groups: Sequence[Hashable]) -> Numbers:
    """A column for each group that is large enough to be known, and one for all others together."""
    sizes = Counter(groups)
    names = [group if sizes[group] >= _KNOWN_FROM else None for group in groups]
    columns = list(dict.fromkeys(names))
    return np.array([[name == column for column in columns] for name in names], float)


def _curve(lesson: Lesson, scores: Numbers, chosen: NDArray[np.bool_]) -> tuple[Curve, float, float]:
    """A curve, and by what scores are to be multiplied and what is to be added to them before."""
    scores, correct, weights = scores[chosen], lesson.correct[chosen], lesson.weights[chosen]
    if weights.sum() >= ISOTONIC_FROM:
        return _isotonic(scores, correct, weights), 1.0, 0.0
    slope, shift = _platt(scores, correct, weights)
    return Curve(), slope, shift


def _platt(scores: Numbers, correct: Numbers, weights: Numbers) -> tuple[float, float]:
    """With his targets, which are never 0 or 1. Scores that say the opposite of what is true say nothing."""
    right = float((weights * correct).sum())
    wrong = float(weights.sum()) - right
    targets = np.where(correct > 0, (right + 1) / (right + 2), 1 / (wrong + 2))
    slopes, shift = _logistic(
        np.concatenate((scores, scores))[:, None],
        np.repeat([1.0, 0.0], len(scores)),
        np.concatenate((weights * targets, weights * (1 - targets))),
        penalty=1e-6,
    )
    if slopes[0] > 0:
        return float(slopes[0]), shift
    return 0.0, float(np.log((right + 1) / (wrong + 1)))


def _isotonic(scores: Numbers, correct: Numbers, weights: Numbers) -> Curve:
    """Few points: the middles of its steps, the smallest of which are joined to what is beside them.

    A step never says 0 or 1: half an answer of each kind is added to it (Krichevsky and Trofimov, 1981).
    """
    scores = np.round(scores, DIGITS)  # as they are kept: no two points may fall together
    isotonic = _scikit_learn("isotonic").IsotonicRegression()
    level = isotonic.fit(scores, correct, sample_weight=weights).predict(scores)
    steps = [
        Step(float(weights[at].sum()), float((weights * scores)[at].sum()), float((weights * correct)[at].sum()))
        for at in (level == each for each in np.unique(level))
    ]
    while len(steps) > 1 and (len(steps) > _POINTS or min(steps).labels < weights.sum() / (2 * _POINTS)):
        _join_smallest(steps)
    said = np.maximum.accumulate([(step.right + 0.5) / (step.labels + 1) for step in steps])
    return Curve(tuple(step.scores / step.labels for step in steps), tuple(map(float, said)))


def _join_smallest(steps: list[Step]) -> None:
    """With the smaller of those beside it."""
    smallest = steps.index(min(steps))
    beside = min((at for at in (smallest - 1, smallest + 1) if 0 <= at < len(steps)), key=steps.__getitem__)
    low = min(smallest, beside)
    steps[low : low + 2] = [Step(*map(sum, zip(*steps[low : low + 2], strict=True)))]


def _said(curve: Curve, scores: Numbers) -> Numbers:
    said: Numbers
    if curve.scores:
        said = np.interp(scores, curve.scores, curve.probabilities)
    else:
        said = 1 / (1 + np.exp(-np.clip(scores, -700, 700)))
    return said


def _logistic(rows: Numbers, correct: Numbers, weights: Numbers, penalty: float) -> tuple[Numbers, float]:
    if len(np.unique(correct)) < 2:
        raise NothingToFitError("there have to be right answers and wrong ones")
    model = _scikit_learn("linear_model").LogisticRegression(C=1 / penalty, solver="newton-cholesky")
    model.fit(rows, correct, sample_weight=weights)
    return model.coef_[0], float(model.intercept_[0])


def _scikit_learn(part: str) -> Any:
    try:
        import sklearn.isotonic
        import sklearn.linear_model
    except ImportError:
        raise NoScikitLearnError("scikit-learn is not installed: pip install 'isotherm[calibrate]'") from None
    return getattr(sklearn, part)
