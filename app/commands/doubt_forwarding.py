"""What forwarding costs and saves: a small model alone, with a larger one behind it, and the larger one alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from app.commands.doubt_answers import Question, right
from app.commands.gateway_client import GatewayClient

_TOKENS = 48
_CHAT = "/v1/chat/completions"

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """All questions asked in one way. Seconds are medians: to the first token of a stream, and to a whole answer."""

    name: str
    right: float
    larger: float
    joules: float | None
    whole_seconds: float
    first_seconds: float


def compare(
    client: GatewayClient, asked: Sequence[Question], small: str, large: str, min_confidence: float
) -> Iterator[str]:
    """A table of text. Raises GatewayUnreachableError."""
    forward = {"X-Min-Confidence": f"{min_confidence:g}", "X-Escalation-Path": large}
    runs = [
        _run(client, asked, "small alone", small, large, {}),
        _run(client, asked, "small, watched", small, large, {**forward, "X-Judging-Mode": "watch"}),
        _run(client, asked, "small, held", small, large, {**forward, "X-Judging-Mode": "hold"}),
        _run(client, asked, "larger alone", large, large, {}),
    ]
    yield f"{len(asked)} questions, forwarded under {min_confidence:.0%}; energy by the configured or measured watts"
    yield f"  {'':<16} {'right':>6} {'larger':>7} {'joules':>9} {'whole':>9} {'first token':>12}"
    for run in runs:
        joules = "unknown" if run.joules is None else f"{run.joules:.1f}"
        yield (
            f"  {run.name:<16} {run.right:>6.1%} {run.larger:>7.1%} {joules:>9} "
            f"{run.whole_seconds * 1000:>6.0f} ms {run.first_seconds * 1000:>9.0f} ms"
        )


def _run(client: GatewayClient, asked: Sequence[Question], name: str, model: str, large: str, headers: Headers) -> Run:
    correct: list[bool] = []
    forwarded: list[bool] = []
    joules: list[float | None] = []
    whole: list[float] = []
    first: list[float] = []
    for question in asked:
        body = {"model": model, "messages": question.messages(), "temperature": 0, "max_tokens": _TOKENS}
        since = time.perf_counter()
        answer = client.post(_CHAT, body, headers)
        whole.append(time.perf_counter() - since)
        told = answer.json()
        correct.append(right(question, told["choices"][0]["message"]["content"] or ""))
        record = client.get(f"/admin/decisions/{answer.headers['x-request-id']}")
        forwarded.append(record["model"] == large)
        joules.append((record["energy"] or {}).get("joules"))
        first.append(_first_seconds(client, {**body, "stream": True}, headers))
    return Run(
        name,
        sum(correct) / len(asked),
        sum(forwarded) / len(asked),
        _sum(joules),
        median(whole),
        median(first),
    )


def _first_seconds(client: GatewayClient, body: Mapping[str, Any], headers: Headers) -> float:
    """To the first piece of text."""
    since = time.perf_counter()
    seconds = None
    with client.stream(_CHAT, dict(body), headers) as answer:
        for line in answer.iter_lines():
            if seconds is None and '"content":"' in line and '"content":""' not in line:
                seconds = time.perf_counter() - since
    return time.perf_counter() - since if seconds is None else seconds


def _sum(values: Sequence[float | None]) -> float | None:
    """None as soon as one is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
