"""How undecided the model was, token by token."""

from __future__ import annotations

from collections.abc import Mapping

from app.confidence.exchange import Exchange
from app.confidence.trace import FIRST


def entropy(exchange: Exchange) -> Mapping[str, float]:
    """Of the next token, in nats: mean, greatest, and mean of the first eight.

    Source: mean and greatest together tell most (CES, arXiv 2605.28264).
    """
    trace = exchange.trace
    if trace is None or not trace.entropy_count:
        return {}
    return {
        "entropy_mean": trace.entropy_sum / trace.entropy_count,
        "entropy_max": trace.entropy_max,
        "entropy_first": trace.entropy_first / min(trace.entropy_count, FIRST),
    }
