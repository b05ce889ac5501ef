"""What the moves of many answers come to: a row of figures for each continuation, and a table of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from statistics import median
from typing import Any

_HEADS = (
    *("continuation", "moves", "identical", "diverged after", "stall p50/p99 ms", "ordinary gap p50/p99 ms"),
    *("largest gap p50/p99 ms", "largest/p99", "cache reuse", "bytes/move"),
)


@dataclass(frozen=True, slots=True)
class Move:
    """One answer that moved, as its reader saw it and as its record tells it; None is unknown.

    `diverged_after` is in tokens from the move to the first word that differs from the uninterrupted answer, None when
    none does. `largest_gap_ms` is the longest between two pieces from the heat to shortly after the move.
    `cache_reuse` is the share of what was read and written before the move that the target did not have to read.
    """

    continuation: str
    diverged_after: int | None
    stall_ms: float | None
    largest_gap_ms: float
    cache_reuse: float | None
    prepared: bool


@dataclass(frozen=True, slots=True)
class Row:
    """All moves by one continuation; pairs are the 50th and the 99th percentile, in milliseconds."""

    continuation: str
    moves: int
    identical: int
    prepared: int
    diverged_after: float | None
    stall_ms: tuple[float, float] | None
    ordinary_gap_ms: tuple[float, float] | None
    largest_gap_ms: tuple[float, float] | None
    cache_reuse: float | None
    bytes_per_move: float

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed (nearest rank). Raises ValueError without any value."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no percentile of nothing")
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def divergence(pieces: Sequence[str], text: str) -> int | None:
    """In which piece of the uninterrupted answer the text begins to differ from it, by place; None where nowhere.

    A text that ends too soon differs where it ends, one that goes on differs after the last piece.
    """
    whole = "".join(pieces)
    if text == whole:
        return None
    same = next((place for place, pair in enumerate(zip(whole, text, strict=False)) if pair[0] != pair[1]), None)
    if same is None:
        same = min(len(whole), len(text))
    return sum(end <= same for end in accumulate(map(len, pieces)))


def summarise(moves: Sequence[Move], ordinary_gaps_ms: Sequence[float], bytes_moved: float) -> list[Row]:
    """A row for each continuation that was used, in the order in which they first were.

    `bytes_moved` is all state that was saved; each move has its equal share.
    """
    by_continuation: dict[str, list[Move]] = {}
    for move in moves:
        by_continuation.setdefault(move.continuation, []).append(move)
    share = bytes_moved / len(moves) if moves else 0.0
    return [_row(name, each, ordinary_gaps_ms, share) for name, each in by_continuation.items()]


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of equal columns."""
    cells = [_HEADS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _row(name: str, moves: Sequence[Move], ordinary_gaps_ms: Sequence[float], bytes_per_move: float) -> Row:
    places = [move.diverged_after for move in moves if move.diverged_after is not None]
    reuse = [move.cache_reuse for move in moves if move.cache_reuse is not None]
    return Row(
        continuation=name,
        moves=len(moves),
        identical=len(moves) - len(places),
        prepared=sum(move.prepared for move in moves),
        diverged_after=median(places) if places else None,
        stall_ms=_pair([move.stall_ms for move in moves if move.stall_ms is not None]),
        ordinary_gap_ms=_pair(ordinary_gaps_ms),
        largest_gap_ms=_pair([move.largest_gap_ms for move in moves]),
        cache_reuse=sum(reuse) / len(reuse) if reuse else None,
        bytes_per_move=bytes_per_move,
    )


def _pair(values: Sequence[float]) -> tuple[float, float] | None:
    return (percentile(values, 50), percentile(values, 99)) if values else None


def _cells(row: Row) -> tuple[str, ...]:
    largest, ordinary = row.largest_gap_ms, row.ordinary_gap_ms
    ratio = largest[0] / ordinary[1] if largest is not None and ordinary is not None and ordinary[1] else None
    return (
        row.continuation,
        f"{row.moves} ({row.prepared} prepared)" if row.prepared else str(row.moves),
        f"{row.identical} ({row.identical / row.moves:.0%})",
        "-" if row.diverged_after is None else f"{row.diverged_after:g} tokens",
        *map(_shown, (row.stall_ms, ordinary, largest)),
        "-" if ratio is None else f"{ratio:.2f}",
        "-" if row.cache_reuse is None else f"{row.cache_reuse:.0%}",
        f"{row.bytes_per_move:,.0f}",
    )


def _shown(pair: tuple[float, float] | None) -> str:
    return "-" if pair is None else f"{pair[0]:.1f} / {pair[1]:.1f}"
