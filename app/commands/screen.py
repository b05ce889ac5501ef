"""What /admin says, as lines of text for a terminal; what is unknown is a question mark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Row = dict[str, Any]

_UNKNOWN = "?"
_MARKED = ("best", "failed")  # what the order of the attempts does not say


def screen(
    url: str, mode: Row, zones: Sequence[Row], backends: Sequence[Row], decisions: Sequence[Row], columns: int
) -> list[str]:
    """Lines of at most that many characters."""
    lines = [f"Isotherm at {url}   mode {mode['mode']}, {mode['in_force']} in force: {mode['why']}", ""]
    lines += _table(("ZONE", "STATE", "°C", "HEADROOM", "CRITICAL IN", "W", "FAN", "BATTERY"), map(_zone, zones))
    lines.append("")
    lines += _table(
        ("BACKEND", "HARDWARE", "ZONE", "HEALTH", "BUSY", "WAITING", "TOK/S", "J/TOKEN", "DUTY"),
        map(_backend, backends),
    )
    lines.append("")
    lines += _table(
        ("REQUEST", "MODEL", "BACKEND", "OUTCOME", "CONFIDENCE", "SECONDS", "JOULES", "WHY"),
        map(_decision, decisions),
    )
    return [line[:columns] for line in lines]


def _zone(zone: Row) -> tuple[str, ...]:
    battery = zone["battery"]
    return (
        zone["id"],
        zone["state"] + (", throttling" if zone["throttling"] else ""),
        _number(zone["celsius"], ".0f"),
        _number(zone["headroom_celsius"], ".0f"),
        "-" if zone["seconds_until_critical"] is None else f"{zone['seconds_until_critical']:.0f} s",
        _number(zone["watts"], ".1f"),
        _number(zone["fan_percent"], ".0f", " %"),
        "-" if battery is None else f"{battery['percent']:.0f} %{'' if battery['plugged'] else ', discharging'}",
    )


def _backend(backend: Row) -> tuple[str, ...]:
    learned = [each for each in backend["learned"].values() if each["tokens_per_second"] is not None]
    quickest: Row = max(learned, key=lambda each: each["tokens_per_second"] or 0.0, default={})
    return (
        backend["id"],
        backend["hardware"],
        backend["zone"] or "-",
        backend["health"],
        f"{backend['busy']}/{backend['concurrency']}",
        str(backend["waiting"]),
        _number(quickest.get("tokens_per_second"), ".1f"),
        _number(quickest.get("joules_per_token"), ".2f"),
        f"{backend['duty']:.0%}",
    )


def _way(record: Row) -> str:
    """Who wrote, and who writes now."""
    left = [each["from"] for each in record["handoffs"] if each["result"] == "completed" and each["to"] != each["from"]]
    return " → ".join([*left, record["backend"] or "-"])


def _confidence(record: Row) -> str:
    """How likely the answer is right, and once one was doubted, who was asked in turn; a hyphen where nobody judged."""
    answers = record["answers"]
    if not answers:
        return "-"
    doubted = answers[-1]["result"] == "doubted"
    if len(answers) == 1 and not doubted:
        return _share(answers[0]["confidence"])
    steps = [_step(each) for each in answers]
    if doubted:
        steps.append("…" if record["outcome"] == "running" else "-")
    return " → ".join(steps)


def _step(answer: Row) -> str:
    mark = f" ({answer['result']})" if answer["result"] in _MARKED else ""
    return f"{answer['model']} {_share(answer['confidence'])}{mark}"


def _decision(record: Row) -> tuple[str, ...]:
    routes = [route for route in record["routes"] if route["backend"] == (record["backend"] or route["backend"])]
    verdicts = (
        routes[0]["verdicts"] if routes else [verdict for each in record["rejected"] for verdict in each["verdicts"]]
    )
    heaviest: Row = max(verdicts, key=lambda verdict: verdict["penalty"], default={"rule": "-", "reason": ""})
    energy = record["energy"]
    return (
        record["request_id"][-8:],
        record["model_asked"],
        _way(record),
        record["outcome"],
        _confidence(record),
        _number(record["seconds"], ".2f"),
        _UNKNOWN
        if energy is None or energy["joules"] is None
        else f"{energy['joules']:.1f} ±{energy['error_joules']:.1f}",
        f"{heaviest['rule']}: {heaviest['reason']}",
    )


def _share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value * 100:.0f} %"


def _number(value: float | None, form: str, unit: str = "") -> str:
    return _UNKNOWN if value is None else format(value, form) + unit


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest cell."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
