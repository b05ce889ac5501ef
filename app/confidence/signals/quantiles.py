"""The less likely tokens of an answer: low quantiles of log-probabilities and margins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from app.confidence.exchange import Exchange


def quantiles(exchange: Exchange) -> Mapping[str, float]:
    """In nats, of the tokens that were kept one by one.

    Source: Chow-Quantile of Gupta et al., Language Model Cascades (arXiv 2404.10136); UCCI (arXiv 2605.18796).
    """
    trace = exchange.trace
    if trace is None or not trace.logprobs:
        return {}
    ordered = sorted(trace.logprobs)
    told = {"logprob_q10": _quantile(ordered, 0.1), "logprob_q20": _quantile(ordered, 0.2)}
    if trace.margins:
        told["margin_q10"] = _quantile(sorted(trace.margins), 0.1)
    return told


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear between the two nearest, as numpy has it by default."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
