"""How likely a verifier that was asked once finds the answer right."""

from __future__ import annotations

from collections.abc import Mapping

from app.confidence.exchange import Exchange


def verifier(exchange: Exchange) -> Mapping[str, float]:
    """A probability. Source: P(True) of Kadavath et al. (arXiv 2207.05221)."""
    return {} if exchange.verdict is None else {"verifier": exchange.verdict}
