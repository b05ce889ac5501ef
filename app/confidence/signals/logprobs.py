"""How likely the model found its own tokens: mean, sum and least of their log-probabilities, and of the least few."""

from __future__ import annotations

import math
from collections.abc import Mapping

from app.confidence.exchange import Exchange


def logprobs(exchange: Exchange) -> Mapping[str, float]:
    """In nats. Source: Chow-Sum and Chow-Average of Gupta et al., Language Model Cascades (arXiv 2404.10136).

    `logprob_low` is the sum of the five least: as a sum it tells of a name or a number that was guessed, and unlike the
    sum of all it does not blame an answer for going on.
    """
    trace = exchange.trace
    if trace is None or not trace.count:
        return {}
    return {
        "logprob_mean": trace.total / trace.count,
        "logprob_sum": trace.total,
        "logprob_min": trace.least,
        "logprob_low": sum(trace.low),
        "log_tokens": math.log1p(trace.count),
    }
