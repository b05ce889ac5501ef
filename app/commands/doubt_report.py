"""How well doubt tells right answers from wrong ones, beside its own parts and beside chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.confidence.labelled import Labelled

if TYPE_CHECKING:
    from app.confidence.figures import Interval

_TARGET = 0.95  # share right; of the larger model's gain, where that is not always right

#: What is compared with the estimate: single signals, and which way they speak.
_SINGLE: Mapping[str, int] = {
    "logprob_mean": 1,
    "logprob_sum": 1,
    "logprob_min": 1,
    "entropy_mean": -1,
    "entropy_max": -1,
    "margin_mean": 1,
    "group_min": 1,
    "log_tokens": -1,
    "log_chars": -1,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One way to tell. `sent` is the share of questions that must go to the larger model to reach the target."""

    name: str
    auroc: Interval | None
    ece: Interval | None
    sent: Interval | None


@dataclass(frozen=True, slots=True)
class Topic:
    """Answers to the questions of one topic, judged by what the other topics taught."""

    name: str
    answers: int
    right: float
    auroc: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """`right` is the share of right answers, `larger` that of the larger model, `target` what both are to reach."""

    title: str
    answers: int
    right: float
    larger: float
    target: float
    rows: Sequence[Row]
    topics: Sequence[Topic]

    def describe(self) -> dict[str, Any]:
        return asdict(self)


def report(
    title: str,
    answers: Sequence[Labelled],
    defects: Mapping[str, float],
    *,
    larger: Sequence[float] | None = None,
    picture: Path | None = None,
) -> Report:
    """`larger` is for each answer whether the larger model is right, which it always is when left out.

    Raises NoScikitLearnError, NothingToFitError, NoPictureError.
    """
    from app.confidence.calibrate import TEXTS, held_out

    correct = [float(each.correct) for each in answers]
    judged, _ = held_out(answers, defects) if larger is None else held_out(answers, defects, TEXTS)
    said = [each.probability for each in judged]
    strong = [1.0] * len(answers) if larger is None else list(larger)
    right, best = sum(correct) / len(correct), sum(strong) / len(strong)
    target = _TARGET if larger is None else right + _TARGET * (best - right)
    found = [
        _row("estimate, calibrated", correct, said, strong, target, calibrated=True),
        *_single(answers, correct, strong, target),
        _row("chance", correct, [0.5] * len(correct), strong, target),
        _row("perfect knowledge", correct, [1 - (s - c) for c, s in zip(correct, strong, strict=True)], strong, target),
    ]
    if picture is not None:
        _draw(picture, title, answers, correct, said)
    return Report(title, len(answers), right, best, target, found, list(_topics(answers, said)))


def _row(
    name: str,
    correct: Sequence[float],
    said: Sequence[float],
    strong: Sequence[float],
    target: float,
    *,
    calibrated: bool = False,
) -> Row:
    from app.confidence.figures import auroc, bootstrap, cost_curve, ece, share_to_reach

    def sent(labels: Any, scores: Any, larger: Any) -> float | None:
        gained = labels.mean() + _TARGET * (larger.mean() - labels.mean())
        return share_to_reach(target if min(strong) == 1 else gained, cost_curve(labels, scores, larger))

    return Row(
        name,
        bootstrap(auroc, correct, said),
        bootstrap(ece, correct, said) if calibrated else None,
        bootstrap(sent, correct, said, strong, samples=200),
    )


def _single(
    answers: Sequence[Labelled], correct: Sequence[float], strong: Sequence[float], target: float
) -> Iterator[Row]:
    for name, sign in _SINGLE.items():
        values = [each.signals.get(name) for each in answers]
        told = [sign * value for value in values if value is not None]
        if len(told) == len(answers):
            yield _row(f"{name} alone", correct, told, strong, target)


def _topics(answers: Sequence[Labelled], said: Sequence[float]) -> Iterator[Topic]:
    from app.confidence.figures import auroc

    for name in dict.fromkeys(each.topic for each in answers if each.topic is not None):
        own = [(float(each.correct), p) for each, p in zip(answers, said, strict=True) if each.topic == name]
        correct, scores = [each[0] for each in own], [each[1] for each in own]
        yield Topic(name, len(own), sum(correct) / len(own), auroc(correct, scores))


def _draw(file: Path, title: str, answers: Sequence[Labelled], correct: Sequence[float], said: Sequence[float]) -> None:
    from app.confidence.figures import cost_curve, reliability
    from app.confidence.picture import draw

    means = [each.signals.get("logprob_mean", 0.0) for each in answers]
    curves = {
        "by confidence": cost_curve(correct, said),
        "by mean log-probability": cost_curve(correct, means),
        "by chance": cost_curve(correct, [0.5] * len(correct)),
        "by perfect knowledge": cost_curve(correct, correct),
    }
    draw(file, title, reliability(correct, said), curves, _TARGET)


def rows(told: Report) -> Iterator[str]:
    """As a table of text."""
    yield f"{told.title}: {told.answers} answers, {told.right:.1%} right; the larger model {told.larger:.1%}"
    yield f"  {'':<24} {'AUROC':<22} {'ECE':<22} sent on to reach {told.target:.1%}"
    for row in told.rows:
        yield f"  {row.name:<24} {_shown(row.auroc):<22} {_shown(row.ece):<22} {_shown(row.sent, '.0%')}"
    for topic in told.topics:
        auroc = "-" if topic.auroc is None else f"{topic.auroc:.3f}"
        yield f"  {topic.name}: {topic.answers} answers, {topic.right:.0%} right, AUROC {auroc}"


def _shown(interval: Interval | None, form: str = ".3f") -> str:
    if interval is None:
        return "-"
    return f"{interval.value:{form}} ({interval.low:{form}} to {interval.high:{form}})"
