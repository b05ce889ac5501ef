"""What was measured, as a table: nginx, Isotherm, the ratio, the aim."""

import operator
import statistics
from dataclasses import dataclass

Samples = dict[str, dict[str, list[float]]]  # peer -> measure -> one value per round


@dataclass(frozen=True)
class Row:
    """One line of the table, and its aim if it has one; `added` means beyond the direct connection."""

    title: str
    measure: str
    digits: int
    added: bool = False
    at_least_ratio: float | None = None
    at_most_ratio: float | None = None
    at_most: float | None = None


ROWS = (
    Row("requests/s, 32 connections", "requests_per_second", 0, at_least_ratio=0.20),
    Row("p99 at 32 connections, ms", "busy_p99_ms", 2),
    Row("CPU µs per request, 32 connections", "request_cpu_us", 1),
    Row("added p50, 1 connection, ms", "p50_ms", 3, added=True, at_most=0.35),
    Row("added p99, 1 connection, ms", "p99_ms", 3, added=True),
    Row("burst streams/s, 32 connections", "streams_per_second", 0, at_least_ratio=0.50),
    Row("CPU µs per burst stream, 32 connections", "stream_cpu_us", 1),
    Row("added to first chunk, 1 stream, ms", "first_chunk_1_ms", 3, added=True),
    Row("added to first chunk, 32 streams, ms", "first_chunk_32_ms", 3, added=True),
    Row("added to first chunk, 256 streams, ms", "first_chunk_256_ms", 3, added=True, at_most=0.7),
    Row("chunks/s, 256 streams, every 40 ms", "paced_chunks_per_second", 0, at_least_ratio=0.95),
    Row("chunks/s, 256 streams, every 5 ms", "saturated_chunks_per_second", 0, at_least_ratio=0.95),
    Row("CPU µs per chunk, every 40 ms", "paced_cpu_us", 1, at_most_ratio=1.6),
    Row("CPU µs per chunk, every 5 ms", "saturated_cpu_us", 1, at_most_ratio=1.6),
    Row("resident memory at first, MB", "idle_mb", 1, at_most=100),
    Row("resident memory after the load, MB", "after_mb", 1, at_most=100),
    Row("memory per idle open stream, KiB", "kib_per_stream", 1, at_most=64),
)
COLUMNS = ("", "direct", "nginx", "Isotherm", "ratio", "aim", "")
PEERS = ("direct", "nginx", "isotherm")


def table(samples: Samples) -> str:
    """The rows that were measured, in Markdown."""
    lines = [COLUMNS, *(cells for row in ROWS if any(cells := _cells(row, samples)))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    lines.insert(1, tuple("-" * (width - 1) + (":" if column else "-") for column, width in enumerate(widths)))
    return "\n".join("| " + " | ".join(_aligned(line, widths)) + " |" for line in lines) + "\n"


def medians(samples: Samples) -> dict[str, dict[str, float]]:
    """Each row's figure of each peer."""
    return {
        row.measure: {peer: value for peer in PEERS if (value := _value(row, peer, samples)) is not None}
        for row in ROWS
    }


def _cells(row: Row, samples: Samples) -> tuple[str, ...]:
    direct, nginx, isotherm = (_value(row, peer, samples) for peer in PEERS)
    if nginx is None and isotherm is None:
        return ()
    ratio = isotherm / nginx if nginx and isotherm is not None else None
    shown = (_number(value, row.digits) for value in (direct, nginx, isotherm))
    return (row.title, *shown, _number(ratio, 2), _aim(row), _verdict(row, isotherm, ratio))


def _value(row: Row, peer: str, samples: Samples) -> float | None:
    values = samples.get(peer, {}).get(row.measure)
    if not values:
        return None
    if not row.added or peer == "direct":
        return statistics.median(values)
    base = samples["direct"][row.measure]  # of the same round
    return statistics.median(value - without for value, without in zip(values, base, strict=True))


def _aim(row: Row) -> str:
    if row.at_least_ratio is not None:
        return f"ratio ≥ {row.at_least_ratio:.2f}"
    if row.at_most_ratio is not None:
        return f"ratio ≤ {row.at_most_ratio:.2f}"
    return f"≤ {row.at_most:g}" if row.at_most is not None else ""


def _verdict(row: Row, isotherm: float | None, ratio: float | None) -> str:
    checks = (
        (row.at_least_ratio, ratio, operator.le),
        (row.at_most_ratio, ratio, operator.ge),
        (row.at_most, isotherm, operator.ge),
    )
    met = [holds(limit, value) for limit, value, holds in checks if limit is not None and value is not None]
    return "" if not met else "met" if all(met) else "missed"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _aligned(line: tuple[str, ...], widths: list[int]) -> list[str]:
    first, *rest = (
        (cell.ljust if column == 0 else cell.rjust)(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    return [first, *rest]
