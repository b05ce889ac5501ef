"""Answers of which somebody has said whether they are right, read from JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from app.confidence.calibration import Calibration
from app.confidence.exchange import Exchange
from app.confidence.judge import Judge
from app.confidence.trace import Trace
from app.domain.errors import IsothermError

#: After so many tokens an answer that is being written is looked at.
BEGINNINGS = (8, 16, 24, 32, 48, 64, 96, 128)

_MAX_LINE_BYTES = 64 * 1024 * 1024  # an answer of 100,000 tokens, and five more for each place
_WORKLOAD = "text"


class UnusableLabelsError(IsothermError):
    """They can't be read; the message names the line."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was seen of an answer, whether it is right, and what was seen of its beginnings while it was written.

    `topic` is what the question was about, None where nobody says: questions of one topic are much alike.
    """

    model: str
    workload: str
    topic: str | None
    correct: bool
    signals: Mapping[str, float]
    beginnings: tuple[Mapping[str, float], ...] = ()


def read_labelled(file: Path) -> Iterator[Labelled]:
    """One line at a time. Raises UnusableLabelsError."""
    judge = Judge(Calibration(), prior=0.5)
    try:
        with file.open("rb") as lines:
            for number, line in _lines(lines):
                try:
                    yield _labelled(_object(line), judge)
                except (ValueError, TypeError, RecursionError) as error:
                    raise UnusableLabelsError(f"line {number}: {error}") from None
    except OSError as error:
        raise UnusableLabelsError(f"{file.name} can't be read: {error.strerror}") from None


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(_MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > _MAX_LINE_BYTES:
            raise UnusableLabelsError(f"line {number}: it is longer than {_MAX_LINE_BYTES} bytes")
        if line.strip():
            yield number, line


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        tree = json.loads(line)
    except ValueError:
        raise ValueError("it is no JSON") from None
    if not isinstance(tree, dict):
        raise ValueError("it is no object")
    return tree


def _labelled(tree: Mapping[str, Any], judge: Judge) -> Labelled:
    if not isinstance(tree.get("correct"), bool):
        raise ValueError("`correct` has to be true or false")
    topic = _text(tree, "topic", "") or None
    model, workload = _text(tree, "model"), _text(tree, "workload", _WORKLOAD)
    if "signals" in tree:
        signals, beginnings = _signals(tree["signals"]), tuple[Mapping[str, float], ...]()
    else:
        signals, beginnings = _seen(tree, model, workload, judge)
    return Labelled(model, workload, topic, tree["correct"], signals, beginnings)


def _text(tree: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = tree.get(key)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise ValueError(f"`{key}` has to be a string")
    return value


def _signals(tree: Any) -> Mapping[str, float]:
    if not isinstance(tree, dict) or not all(type(value) in (int, float) for value in tree.values()):
        raise ValueError("`signals` have to be numbers by name")
    return {name: float(value) for name, value in tree.items()}


def _seen(
    tree: Mapping[str, Any], model: str, workload: str, judge: Judge
) -> tuple[Mapping[str, float], tuple[Mapping[str, float], ...]]:
    """Signals of the whole answer, and of its beginnings."""
    form = tree.get("response_format")
    if form is not None and not isinstance(form, dict):
        raise ValueError("`response_format` has to be an object")
    text = _text(tree, "answer")
    begun = Exchange(_text(tree, "question"), text, model, response_format=form)
    tokens = _tokens(tree)
    whole = replace(begun, finish_reason=_text(tree, "finish_reason", "") or None, trace=_trace(tokens))
    beginnings = []
    for count in [each for each in BEGINNINGS if each < len(tokens)] or [len(tokens)] * bool(tokens):
        # the text of each token is not told: this is about as much of it
        written = replace(begun, text=text[: len(text) * count // len(tokens)], trace=_trace(tokens[:count]))
        beginnings.append(judge.beginning(written, workload).signals)
    return judge.whole(whole, workload).signals, tuple(beginnings)


def _tokens(tree: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    tokens = tree.get("logprobs") or []
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        raise ValueError("`logprobs` have to be a list of objects")
    return tokens


def _trace(tokens: list[Mapping[str, Any]]) -> Trace | None:
    """What makes no sense is left out, as while it is served."""
    if not tokens:
        return None
    trace = Trace()
    for token in tokens:
        try:
            trace.add(token["logprob"], token.get("top") or ())
        except (KeyError, TypeError, ValueError):
            trace.miss()
    return trace
