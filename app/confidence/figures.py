"""How good probabilities are: whether they tell right answers from wrong ones, and whether they mean what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

BINS = 15

_REACHED = 1e-9  # sums of shares are not exact

Numbers = NDArray[np.float64]
Column = Sequence[float] | Numbers


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers that were thought to be about as likely right: how many, how likely on average, what share was right."""

    labels: int
    said: float
    right: float


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and between what it lies with a certainty of 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Cost:
    """With this share of questions sent on to the larger model, this share is answered right."""

    sent: float
    right: float


def auroc(correct: Column, probabilities: Column, parts: Column | None = None) -> float | None:
    """How often a right answer has more than a wrong one, half for as much; None without both kinds of answers.

    With `parts` only answers of the same part are compared: two calibrations need not agree about what is likely.
    Source: the Mann-Whitney statistic, with midranks for ties; Forman and Scholz, 2010, for parts.
    """
    labels, scores = _columns(correct, probabilities)
    told = np.zeros(len(labels)) if parts is None else np.asarray(parts)
    better, pairs = np.sum([_better(labels[told == part], scores[told == part]) for part in np.unique(told)], axis=0)
    return float(better / pairs) if pairs else None


def _better(labels: Numbers, scores: Numbers) -> tuple[float, float]:
    """In how many pairs of a right answer and a wrong one the right one has more; and how many pairs there are."""
    right = labels.sum()
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    midranks = np.cumsum(count) - (count - 1) / 2
    return midranks[place][labels > 0].sum() - right * (right + 1) / 2, right * (len(labels) - right)


def brier(correct: Column, probabilities: Column) -> float:
    """The mean squared distance from what is true. Source: Brier, 1950."""
    labels, said = _columns(correct, probabilities)
    return float(np.mean((said - labels) ** 2))


def reliability(correct: Column, probabilities: Column, bins: int = BINS) -> list[Bin]:
    """Bins with about as many answers each, the least likely first; equal probabilities are never parted."""
    labels, said = _columns(correct, probabilities)
    order = np.argsort(said, kind="stable")
    labels, said = labels[order], said[order]
    wanted = np.arange(1, bins) * len(said) // bins
    edges = np.unique([0, *np.searchsorted(said, said[wanted], side="left"), len(said)])
    parts = [slice(begin, end) for begin, end in pairwise(edges.tolist())]
    return [Bin(part.stop - part.start, float(said[part].mean()), float(labels[part].mean())) for part in parts]


def ece(correct: Column, probabilities: Column) -> float:
    """Expected calibration error: how far the bins are, on average, from what they say.

    Source: Naeini et al., 2015, here with bins of equal mass as in Nixon et al. (arXiv 1904.01685).
    """
    rows = reliability(correct, probabilities)
    total = sum(row.labels for row in rows)
    return sum(row.labels * abs(row.said - row.right) for row in rows) / total


def cost_curve(
    correct: Column,
    probabilities: Column,
    larger: Column | float = 1.0,
) -> list[Cost]:
    """From none sent on to all, the least likely first. `larger` is how likely the larger model is right: of all
    questions, or of each. Among equal probabilities the order is left to chance, and the curve is what it comes to.
    """
    labels, said = _columns(correct, probabilities)
    gains = np.broadcast_to(np.asarray(larger, float), labels.shape) - labels
    _, place, count = np.unique(said, return_inverse=True, return_counts=True)
    mean = np.bincount(place, gains) / count
    right = labels.sum() + np.concatenate(([0.0], np.cumsum(np.repeat(mean, count))))
    return [Cost(sent / len(labels), float(each) / len(labels)) for sent, each in enumerate(right)]


def share_to_reach(target: float, curve: Sequence[Cost]) -> float | None:
    """The least share of questions that has to be sent on for so many to be answered right; None if none is enough."""
    return next((cost.sent for cost in curve if cost.right >= target - _REACHED), None)


def bootstrap(
    measure: Callable[..., float | None], *columns: Column, samples: int = 1000, seed: int = 0
) -> Interval | None:
    """The measure of all answers, a share, with its percentile interval; None where it can't be told.

    Sampling adds to some measures, as to the calibration error: by so much the interval is moved.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapters 10 and 13.
    """
    told = [np.asarray(column, float) for column in columns]
    value = measure(*told)
    if value is None:
        return None
    chance = np.random.default_rng(seed)
    draws = (chance.integers(len(told[0]), size=len(told[0])) for _ in range(samples))
    found = [each for drawn in draws if (each := measure(*(column[drawn] for column in told))) is not None]
    low, high = np.percentile(found, [2.5, 97.5]) - (np.mean(found) - value)
    return Interval(value, max(float(low), 0.0), min(float(high), 1.0))


def _columns(correct: Column, probabilities: Column) -> tuple[Numbers, Numbers]:
    """Raises ValueError where there is nothing, or not as much of both."""
    labels, said = np.asarray(correct, float), np.asarray(probabilities, float)
    if not len(labels) or labels.shape != said.shape:
        raise ValueError("there have to be labels, and as many probabilities")
    return labels, said
