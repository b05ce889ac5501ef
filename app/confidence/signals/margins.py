"""How far the most likely token was ahead of the second."""

from __future__ import annotations

from collections.abc import Mapping

from app.confidence.exchange import Exchange


def margins(exchange: Exchange) -> Mapping[str, float]:
    """In nats: mean and least. Source: UCCI (arXiv 2605.18796)."""
    trace = exchange.trace
    if trace is None or not trace.entropy_count:
        return {}
    return {"margin_mean": trace.margin_sum / trace.entropy_count, "margin_min": trace.margin_min}
