"""`isotherm calibrate`: learns from labelled answers how likely others are right, and says how well that works."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.confidence.calibration import read_calibration
from app.confidence.keep import keep
from app.confidence.labelled import Labelled, UnusableLabelsError, read_labelled
from app.telemetry.feedback import Feedback

if TYPE_CHECKING:
    from app.confidence.figures import Interval

_SHIPPED = Path(__file__).parent.parent.parent / "config" / "calibration.json"
_TARGET = 0.95
_MEASURES = {"auroc": "AUROC", "ece": "ECE", "brier": "Brier"}

Columns = tuple[list[float], ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What was said of an answer by a calibration that had not seen it; `part` is which calibration that was."""

    labelled: Labelled
    said: float
    part: int


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser], configuration: Path) -> None:  # noqa: ARG001
    parser = commands.add_parser("calibrate", help="learn from labelled answers how likely others are right")
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE.jsonl", help="labelled answers, one a line")
    parser.add_argument("--feedback", type=Path, metavar="DB", help="what people said of answers: telemetry.feedback")
    parser.add_argument(
        "--output", type=Path, default=Path("calibration.json"), metavar="FILE", help="where the calibration goes"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw reliability and cost")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=calibrate)


def calibrate(options: argparse.Namespace) -> int:
    """Raises UnusableLabelsError, StorageError, NoScikitLearnError, NoPictureError, CalibrationNotKeptError."""
    from app.confidence import calibrate as calibration

    labelled = list(_labelled(options.files, options.feedback))
    if not labelled:
        raise UnusableLabelsError("there is no labelled answer: name a file, or --feedback")
    defects = read_calibration(_SHIPPED.read_bytes()).defects
    judged, parts = calibration.held_out(labelled, defects)
    looks = [Look(*each) for each in zip(labelled, (each.probability for each in judged), parts, strict=True)]
    sources = [*options.files, *filter(None, [options.feedback])]
    tree = calibration.calibrate(labelled, defects, source=", ".join(file.name for file in sources))
    told = _told(looks, tree)
    if options.picture is not None:
        _draw(options.picture, looks, told)
    keep(tree, options.output)
    told |= {"output": str(options.output), "picture": None if options.picture is None else str(options.picture)}
    sys.stdout.write(json.dumps(told, indent=2) + "\n" if options.json else "\n".join(_in_words(told)) + "\n")
    return 0


def _labelled(files: Sequence[Path], feedback: Path | None) -> Iterator[Labelled]:
    for file in files:
        yield from read_labelled(file)
    if feedback is not None:
        for opinion in Feedback(feedback).rows():
            yield Labelled(opinion.model, opinion.workload, None, opinion.correct, opinion.signals)


def _told(looks: Sequence[Look], tree: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON."""
    from app.confidence.figures import bootstrap, cost_curve, share_to_reach

    groups: dict[tuple[str, str], list[Look]] = {}
    for look in looks:
        groups.setdefault((look.labelled.model, look.labelled.workload), []).append(look)
    return {
        **_counted(looks),
        **{name: _interval(bootstrap(measure, *columns)) for name, measure, columns in _measures(looks)},
        "target": _TARGET,
        "sent": _rounded(share_to_reach(_TARGET, cost_curve(*_columns(looks)))),
        "groups": [
            {
                **{"model": model, "workload": workload, **_counted(own)},
                **{name: _rounded(measure(*columns)) for name, measure, columns in _measures(own)},
            }
            for (model, workload), own in groups.items()
        ],
        "fits": [{key: fit[key] for key in ("name", "labels", "auroc", "ece", "brier")} for fit in tree["fits"]],
    }


def _counted(looks: Sequence[Look]) -> dict[str, float]:
    return {"labels": len(looks), "right": round(sum(look.labelled.correct for look in looks) / len(looks), 4)}


def _measures(looks: Sequence[Look]) -> Iterator[tuple[str, Callable[..., float | None], Columns]]:
    from app.confidence import figures

    columns = _columns(looks)
    yield "auroc", figures.auroc, (*columns, [float(look.part) for look in looks])
    yield "ece", figures.ece, columns
    yield "brier", figures.brier, columns


def _columns(looks: Sequence[Look]) -> tuple[list[float], list[float]]:
    return [float(look.labelled.correct) for look in looks], [look.said for look in looks]


def _interval(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else {key: round(value, 4) for key, value in asdict(interval).items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _in_words(told: Mapping[str, Any]) -> Iterator[str]:
    heads = ("model", "workload", "labels", "right", *_MEASURES.values())
    yield from _table([heads, *(_cells(group) for group in told["groups"])])
    yield ""
    yield f"{told['labels']} answers, judged by calibrations that had not seen them (in brackets: 95 % intervals):"
    yield from (f"  {name:<6} {_shown(told[key])}" for key, name in _MEASURES.items())
    if told["sent"] is not None:
        yield f"{told['target']:.0%} are answered right when {told['sent']:.0%} go to a larger model that always is."
    yield ""
    if not told["fits"]:
        yield "No fit: that takes 50 labels of a model, right ones and wrong ones."
    yield from _table([(f"fit {fit['name']}", f"{fit['labels']} labels") for fit in told["fits"]])
    yield f"written to {told['output']}" + (f", drawn in {told['picture']}" if told["picture"] else "")


def _shown(interval: Mapping[str, float] | None) -> str:
    return "-" if interval is None else f"{interval['value']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"


def _cells(group: Mapping[str, Any]) -> tuple[str, ...]:
    measures = ("-" if group[name] is None else f"{group[name]:.3f}" for name in _MEASURES)
    return (group["model"], group["workload"], str(group["labels"]), f"{group['right']:.0%}", *measures)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _draw(file: Path, looks: Sequence[Look], told: Mapping[str, Any]) -> None:
    from app.confidence.figures import cost_curve, reliability
    from app.confidence.picture import draw

    correct, said = _columns(looks)
    curves = {"by confidence": cost_curve(correct, said)}
    means = [look.labelled.signals.get("logprob_mean") for look in looks]
    if (known := [mean for mean in means if mean is not None]) == means:
        curves["by mean log-probability"] = cost_curve(correct, known)
    curves["by chance"] = cost_curve(correct, [0.5] * len(correct))
    curves["by perfect knowledge"] = cost_curve(correct, correct)
    figures = [f"{name} {told[key]['value']:.3f}" for key, name in _MEASURES.items() if told[key] is not None]
    title = f"{len(looks)} answers that were held out: {', '.join(figures)}"
    draw(file, title, reliability(correct, said), curves, _TARGET)
