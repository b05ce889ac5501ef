"""What a backend tells of each token of an answer, kept as numbers while the answer is written."""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections.abc import Sequence

#: How many tokens are kept for what needs them one by one; sums and extremes are of all.
KEPT = 4096

#: Tokens of one group. DeepConf takes 1,024 or more of a long chain of thought; a chat answer is shorter than that.
GROUP = 16

#: So many of the least likely tokens say most about an answer: those that only make its sentences whole say little.
LOW = 5

#: Tokens whose mean entropy tells something before anything is sent.
FIRST = 8

_LEAST = -100.0  # what stands for -inf: a log-probability in single precision is never less


class Trace:
    """Log-probabilities in nats, of the tokens written and of the most likely ones in their places.

    Source: Fu et al., Deep Think with Confidence (arXiv 2508.15260), for groups; Gupta et al., Language Model Cascades
    (arXiv 2404.10136), for sums, means and quantiles. `low` are the least of all, in rising order.
    """

    __slots__ = (
        *("count", "entropies", "entropy_count", "entropy_first", "entropy_max", "entropy_sum", "group_min"),
        *("least", "logprobs", "low", "margin_min", "margin_sum", "margins", "total", "untold", "_group", "_window"),
    )

    def __init__(self) -> None:
        self.count = 0
        self.untold = 0
        self.total = self.entropy_sum = self.entropy_first = self.margin_sum = self._group = 0.0
        self.least = 0.0
        self.entropy_count = 0
        self.entropy_max = 0.0
        self.margin_min = math.inf
        self.group_min = math.inf
        self.low: list[float] = []
        self.logprobs = array("d")
        self.entropies = array("d")
        self.margins = array("d")
        self._window = array("d", bytes(8 * GROUP))

    def add(self, logprob: float, top: Sequence[float] = ()) -> None:
        """One token: its log-probability, and those of the most likely ones in its place, the most likely first.

        Raises TypeError, ValueError for what is no log-probability.
        """
        if not logprob <= 0.0:
            if not logprob < 1e-3:  # NaN too; a little more than 0 is rounding
                raise ValueError("no log-probability")
            logprob = 0.0
        logprob = max(logprob, _LEAST)
        at = self.count % GROUP
        self._group += logprob - self._window[at]
        self._window[at] = logprob
        self.count += 1
        self.total += logprob
        self.least = min(self.least, logprob)
        if self.count <= LOW or logprob < self.low[-1]:
            insort(self.low, logprob)
            del self.low[LOW:]
        if self.count >= GROUP:
            self.group_min = min(self.group_min, self._group / GROUP)
        if self.count <= KEPT:
            self.logprobs.append(logprob)
        if len(top) > 1:
            self._spread(top)

    def miss(self) -> None:
        """One token of which nothing was told, or nothing that makes sense."""
        self.untold += 1

    def _spread(self, top: Sequence[float]) -> None:
        """Entropy in nats over the tokens told, what is left of the probability as one more; and how far apart the
        first two are.
        """
        entropy, rest = 0.0, 1.0
        for logprob in top:
            probability = math.exp(logprob)
            entropy -= probability * max(logprob, _LEAST)
            rest -= probability
        if rest > 1e-9:
            entropy -= rest * math.log(rest)
        margin = top[0] - max(top[1], _LEAST)
        if not (entropy >= 0.0 and margin >= 0.0):
            raise ValueError("no log-probabilities in falling order")
        self.entropy_count += 1
        self.entropy_sum += entropy
        self.entropy_max = max(self.entropy_max, entropy)
        self.margin_sum += margin
        self.margin_min = min(self.margin_min, margin)
        if self.entropy_count <= FIRST:
            self.entropy_first += entropy
        if self.entropy_count <= KEPT:
            self.entropies.append(entropy)
            self.margins.append(margin)
