"""The worst stretch of an answer: the least mean log-probability of any group of neighbouring tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping

from app.confidence.exchange import Exchange


def groups(exchange: Exchange) -> Mapping[str, float]:
    """In nats; the mean of all tokens where there are too few for a group.

    Source: the lowest group confidence of DeepConf (arXiv 2508.15260), here of the tokens that were written.
    """
    trace = exchange.trace
    if trace is None or not trace.count:
        return {}
    return {"group_min": trace.total / trace.count if math.isinf(trace.group_min) else trace.group_min}
