"""What labelled answers have taught: a small readable file of fits, and what it says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

VERSION = 1


class UnusableCalibrationError(ValueError):
    """It is of another version, or no calibration at all; the message is fit for a person to read."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One signal in a fit: how much it counts, once it is in units of its own spread."""

    weight: float
    mean: float
    scale: float


@dataclass(frozen=True, slots=True)
class Curve:
    """From a score to a probability: points of an isotonic regression, straight lines between them.

    Two points at the ends are as good as a constant; no points at all mean the logistic function itself (Platt).
    """

    scores: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Fit:
    """A logistic regression for some models and workloads, of whole answers or of their beginnings.

    `labels` is how many answers it was made of, `right` the share of right ones
    among them, None where nobody says.
    """

    name: str
    features: Mapping[str, Feature]
    intercept: float
    curve: Curve = Curve()
    models: tuple[str, ...] = ("*",)
    workloads: tuple[str, ...] = ("*",)
    beginnings: bool = False
    labels: int = 0
    right: float | None = None

    def suits(self, model: str, workload: str) -> bool:
        return any(fnmatchcase(model, each) for each in self.models) and any(
            fnmatchcase(workload, each) for each in self.workloads
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """`defects` are factors by signal: how much less likely an answer is right that has it; `proofs` are those by which
    it is less likely wrong. `priors` are shares of right answers by model (globs), for answers of which nothing but the
    text is known. The first that suits counts.
    """

    fits: tuple[Fit, ...] = ()
    defects: Mapping[str, float] = field(default_factory=dict)
    proofs: Mapping[str, float] = field(default_factory=dict)
    priors: Mapping[str, float] = field(default_factory=dict)


def read_calibration(content: bytes) -> Calibration:
    """Raises UnusableCalibrationError."""
    try:
        tree = json.loads(content)
        version = tree["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UnusableCalibrationError("it is no calibration") from None
    if version != VERSION:
        raise UnusableCalibrationError(
            f"it is of version {version}, not {VERSION}; `isotherm calibrate` makes a new one"
        )
    try:
        return Calibration(
            fits=tuple(_fit(each) for each in tree["fits"]),
            defects={name: _share(each["factor"]) for name, each in tree["defects"].items()},
            proofs={name: _share(each["factor"]) for name, each in tree.get("proofs", {}).items()},
            priors={model: _share(each["right"]) for model, each in tree["priors"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnusableCalibrationError(f"it makes no sense: {type(error).__name__} {error}") from None


def _fit(tree: Mapping[str, Any]) -> Fit:
    curve = tree["curve"]
    scores, probabilities = tuple(map(_number, curve["scores"])), tuple(map(_share, curve["probabilities"]))
    if len(scores) != len(probabilities) or list(scores) != sorted(scores):
        raise ValueError("the points of a curve")
    return Fit(
        name=str(tree["name"]),
        features={name: _feature(each) for name, each in tree["features"].items()},
        intercept=_number(tree["intercept"]),
        curve=Curve(scores, probabilities),
        models=tuple(map(str, tree["models"])),
        workloads=tuple(map(str, tree["workloads"])),
        beginnings=bool(tree["beginnings"]),
        labels=int(tree["labels"]),
        right=_share(tree["right"]) if "right" in tree else None,
    )


def _feature(tree: Mapping[str, Any]) -> Feature:
    scale = _number(tree["scale"])
    if scale <= 0:
        raise ValueError("a scale that is not positive")
    return Feature(_number(tree["weight"]), _number(tree["mean"]), scale)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number that is none")
    return number


def _share(value: Any) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise ValueError("a share outside 0 to 1")
    return number
