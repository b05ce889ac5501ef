"""From signals to the probability that an answer is right."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from app.confidence.calibration import Calibration, Curve, Fit
from app.domain.confidence import Confidence

#: Beyond so many spreads from its mean a signal counts no more: nothing was ever fitted there.
_FARTHEST = 4.0

PRIOR = "prior"

#: The pattern of a fit for models that were not there when it was made.
ANY = "*"

#: Signals that are probabilities themselves: those of a verifier, and the share of samples that agree.
OPINIONS = ("agreement", "verifier")

#: No opinion of another is taken for surer than this.
_SUREST = 0.02

#: No share of right answers is taken for less, or for more than the rest.
_SHARES = 0.01


def estimate(
    signals: Mapping[str, float],
    calibration: Calibration,
    prior: float,
    *,
    model: str = "",
    workload: str = "",
    beginning: bool = False,
    notes: tuple[str, ...] = (),
) -> Confidence:
    """By the first fit that suits the model and the workload and has all of its signals; else the model's prior.

    `prior` is the share of right answers of a model that nobody has measured: a fit for any model, made of another
    one's answers, is moved to it. Opinions that the fit does not know
    are pooled with the rest. Defects then take their part of it, and proofs theirs of what is missing, as often as they
    are there: a signal between 0 and 1 counts in proportion.
    """
    usable = {name: value for name, value in signals.items() if math.isfinite(value)}
    fit = _fit(usable, calibration, model, workload, beginning=beginning)
    share = _prior(calibration, prior, model)
    if fit is not None:
        probability, by = _calibrated(fit.curve, _score(fit, usable)), fit.name
        if ANY in fit.models and fit.right is not None:
            probability = _shifted(probability, fit.right, share)
    else:
        probability, by = share, PRIOR
    known = fit.features if fit is not None else {}
    probability = _pooled(probability, [usable[name] for name in OPINIONS if name in usable and name not in known])
    probability *= _left(calibration.defects, usable)
    proven = 1 - _left(calibration.proofs, usable)
    probability += (1 - probability) * proven
    return Confidence(min(max(probability, 0.0), 1.0), by, usable, notes)


def _fit(
    signals: Mapping[str, float], calibration: Calibration, model: str, workload: str, *, beginning: bool
) -> Fit | None:
    for fit in calibration.fits:
        if fit.beginnings is beginning and fit.features.keys() <= signals.keys() and fit.suits(model, workload):
            return fit
    return None


def _score(fit: Fit, signals: Mapping[str, float]) -> float:
    score = fit.intercept
    for name, feature in fit.features.items():
        away = (signals[name] - feature.mean) / feature.scale
        score += feature.weight * min(max(away, -_FARTHEST), _FARTHEST)
    return score


def _calibrated(curve: Curve, score: float) -> float:
    scores, probabilities = curve.scores, curve.probabilities
    if not scores:
        return _logistic(score)
    above = bisect_right(scores, score)
    if above == 0 or above == len(scores):
        return probabilities[min(above, len(scores) - 1)]
    low, high = scores[above - 1], scores[above]
    way = (score - low) / (high - low)
    return probabilities[above - 1] + way * (probabilities[above] - probabilities[above - 1])


def _left(factors: Mapping[str, float], signals: Mapping[str, float]) -> float:
    """What all of them together leave."""
    told = ((factor, signals.get(name, 0.0)) for name, factor in factors.items())
    return math.prod(math.pow(factor, min(value, 1.0)) for factor, value in told if value > 0)


def _prior(calibration: Calibration, prior: float, model: str) -> float:
    return next((share for pattern, share in calibration.priors.items() if fnmatchcase(model, pattern)), prior)


def _shifted(probability: float, before: float, now: float) -> float:
    """For another share of right answers than that of the labels.

    Source: Saerens et al., Adjusting the Outputs of a Classifier to New a Priori Probabilities (2002).
    """
    moved = _log_odds(now, _SHARES) - _log_odds(before, _SHARES)
    return probability if not moved else _logistic(_log_odds(probability, 1e-6) + moved)


def _pooled(probability: float, opinions: Sequence[float]) -> float:
    """The logarithmic pool of equal opinions. Source: Genest, Zidek: Combining Probability Distributions (1986)."""
    if not opinions:
        return probability
    odds = [_log_odds(probability, 1e-6), *(_log_odds(each, _SUREST) for each in opinions)]
    return _logistic(math.fsum(odds) / len(odds))


def _log_odds(probability: float, least: float) -> float:
    kept = min(max(probability, least), 1 - least)
    return math.log(kept / (1 - kept))


def _logistic(score: float) -> float:
    return 1 / (1 + math.exp(-min(max(score, -700.0), 700.0)))
