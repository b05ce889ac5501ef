"""What a signal is, and the table of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from app.confidence.exchange import Exchange

KINDS: dict[str, str] = {
    "logprobs": "app.confidence.signals.logprobs:logprobs",
    "quantiles": "app.confidence.signals.quantiles:quantiles",
    "entropy": "app.confidence.signals.entropy:entropy",
    "margins": "app.confidence.signals.margins:margins",
    "groups": "app.confidence.signals.groups:groups",
    "phrases": "app.confidence.signals.phrases:phrases",
    "refusal": "app.confidence.signals.refusal:refusal",
    "length": "app.confidence.signals.length:length",
    "repetition": "app.confidence.signals.repetition:repetition",
    "truncation": "app.confidence.signals.truncation:truncation",
    "structure": "app.confidence.signals.structure:structure",
    "language": "app.confidence.signals.language:language",
    "sums": "app.confidence.signals.sums:sums",
    "asked_sum": "app.confidence.signals.asked_sum:asked_sum",
    "echo": "app.confidence.signals.echo:echo",
    "agreement": "app.confidence.signals.agreement:agreement",
    "verifier": "app.confidence.signals.verifier:verifier",
}

#: Those whose work does not grow with the answer: they are asked again and again while it is written.
RUNNING = ("logprobs", "entropy", "margins", "groups", "repetition")


class Signal(Protocol):
    """A pure look at an exchange."""

    def __call__(self, exchange: Exchange) -> Mapping[str, float]:
        """Values by name; what can't be told is left out, and never 0."""
