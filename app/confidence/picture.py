"""Probabilities as a picture: what they say beside what is true, and what forwarding by them costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from app.confidence.figures import Bin, Cost
from app.domain.errors import IsothermError

_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
_COLOURS = ("#0b7285", "#e8590c", "#7048e8", "#2b8a3e", "#c2255c")
_STYLE: dict[Any, Any] = {
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "legend.frameon": False,
}


class NoPictureError(IsothermError):
    """It can't be drawn here, or not be kept; the message says why."""


def draw(file: Path, title: str, bins: Sequence[Bin], curves: Mapping[str, Sequence[Cost]], target: float) -> None:
    """A PNG: the reliability diagram, and the cost curves by name, the most important first.

    `target` is the share of right answers that forwarding is to reach. Raises NoPictureError.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise NoPictureError("matplotlib is not installed: pip install 'isotherm[calibrate]'") from None
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11, 5), dpi=130, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=13)
        left, right = figure.subplots(1, 2)
        _reliability(left, bins)
        _costs(right, curves, target)
        content = BytesIO()
        figure.savefig(content, format="png")
    try:
        file.write_bytes(content.getvalue())
    except OSError as error:
        raise NoPictureError(f"{file.name} can't be written: {error.strerror}") from None


def _reliability(axes: Any, bins: Sequence[Bin]) -> None:
    most = max((row.labels for row in bins), default=1)
    axes.plot([0, 1], [0, 1], color=_FAINT, linestyle=(0, (4, 3)), linewidth=1.2)
    axes.plot([row.said for row in bins], [row.right for row in bins], color=_COLOURS[0], linewidth=1.5, alpha=0.5)
    axes.scatter(
        [row.said for row in bins],
        [row.right for row in bins],
        s=[25 + 75 * row.labels / most for row in bins],
        color=_COLOURS[0],
        zorder=3,
    )
    axes.set(title="Does it mean what it says?", xlabel="confidence", ylabel="share of right answers")
    axes.text(0.97, 0.05, "below the line:\ntoo sure of itself", ha="right", color=_FAINT, fontsize=10)
    axes.text(0.03, 0.95, "above the line:\ntoo modest", va="top", color=_FAINT, fontsize=10)
    _shares(axes, low=-0.02)


def _costs(axes: Any, curves: Mapping[str, Sequence[Cost]], target: float) -> None:
    for place, (name, curve) in enumerate(curves.items()):
        axes.plot(
            [cost.sent for cost in curve],
            [cost.right for cost in curve],
            color=_COLOURS[place % len(_COLOURS)],
            linewidth=2.4 if place == 0 else 1.4,
            label=name,
            zorder=3 if place == 0 else 2,
        )
    axes.axhline(target, color=_FAINT, linestyle=(0, (4, 3)), linewidth=1.2)
    axes.annotate(
        f"{target:.0%} right", (0, target), xytext=(4, 4), textcoords="offset points", color=_FAINT, fontsize=10
    )
    axes.set(title="What does forwarding cost?", xlabel="questions sent on", ylabel="answered right")
    axes.legend(loc="lower right")
    lowest = min((cost.right for curve in curves.values() for cost in curve), default=0.0)
    _shares(axes, low=max(0.0, lowest - 0.03))


def _shares(axes: Any, low: float) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(low, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
