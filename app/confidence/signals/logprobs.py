"""How likely the model found its own tokens: mean, sum and least of their log-probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping

from app.confidence.exchange import Exchange


def logprobs(exchange: Exchange) -> Mapping[str, float]:
    """In nats. Source: Chow-Sum and Chow-Average of Gupta et al., Language Model Cascades (arXiv 2404.10136)."""
    trace = exchange.trace
    if trace is None or not trace.count:
        return {}
    return {
        "logprob_mean": trace.total / trace.count,
        "logprob_sum": trace.total,
        "logprob_min": trace.least,
        "log_tokens": math.log1p(trace.count),
    }
