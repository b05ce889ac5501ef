"""Where a zone's temperature goes under its present load, fitted robustly to what was measured lately.

The model is a first-order thermal system (Newton's law of cooling) with one of a few time constants. For each of them
the rest is a straight line, whose slope is the median of the slopes between points (Theil 1950, Sen 1968): rounding to
a degree and a wild value now and then don't sway it.

Which time constant it is, a young curve can't tell: the straight line, which fits it as well, would promise a breach to
everything that warms up. So each counts by its likelihood, and their weighted mean is taken.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from app.domain.thermal import Forecast

_FEWEST_SAMPLES = 4
_SHORTEST_SECONDS = 4.0  # a chip jumps some degrees at once when its load changes: that says little of what follows
_LONGEST_SECONDS = 300.0  # the load of before is another one
_QUANTUM = 1.0  # degrees that rounding alone explains
_TIME_CONSTANTS = (8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
_LOGARITHMS = tuple(map(math.log, _TIME_CONSTANTS))
_POINTS = 12
_WEIGHT = _POINTS / 2  # neighbours share their rounding: they count half as much as independent points would
_FLOOR_KELVIN = 0.1  # a fit better than that is luck
_KINK_KELVIN = 0.7  # further off, the load has changed
_SIGMAS = 2.5
_HEARD_FOR_NOISE = 64


class _Fit(NamedTuple):
    """The curve at the newest sample, and how far each point is above it, oldest first."""

    tau: float
    celsius: float
    per_second: float
    off: list[float]

    def miss(self) -> float:
        """The mean distance without the largest, which may be a wild value's."""
        misses = list(map(abs, self.off))
        return (sum(misses) - max(misses)) / (len(misses) - 1)

    def explains(self, kelvin: float) -> bool:
        """Whether it is that close to all points but one, which is not the newest: there a new load shows first."""
        return sorted(map(abs, self.off))[-2] <= kelvin and abs(self.off[-1]) <= kelvin


def forecast(samples: Sequence[tuple[float, float]], now: float) -> Forecast | None:
    """From samples (monotonic seconds, which rise; celsius), oldest first, what comes after `now`.

    None when there is too little to go by: fewer than 4 samples, less than 4 seconds, a load that changed just now, or
    a silence since then that is longer than what was heard. A rise that rounding to a degree explains is none: the
    temperature stays.
    """
    if len(samples) < _FEWEST_SAMPLES:
        return None
    newest = samples[-1][0]
    heard = newest - samples[0][0]
    if heard < _SHORTEST_SECONDS or now - newest > heard:
        return None
    if heard > _LONGEST_SECONDS:
        return forecast([sample for sample in samples if newest - sample[0] <= _LONGEST_SECONDS], now)
    celsius = [sample[1] for sample in samples]
    if max(celsius) - min(celsius) <= _QUANTUM:
        return Forecast(now, celsius[-1], 0.0)
    found = _since_the_load_changed(samples)
    if found is None:
        return None
    fit, rise = found
    if fit.per_second > 0 and rise <= _QUANTUM:
        return Forecast(now, fit.celsius, 0.0)
    return _from(fit, newest, now)


def _from(fit: _Fit, newest: float, now: float) -> Forecast:
    target = fit.celsius + fit.per_second * fit.tau
    left = math.exp((newest - now) / fit.tau)
    return Forecast(now, target + (fit.celsius - target) * left, fit.per_second * left, target, fit.tau)


def _since_the_load_changed(samples: Sequence[tuple[float, float]]) -> tuple[_Fit, float] | None:
    """The fit of all samples, or of their newer half, and so on, until one explains them; and by how much they rose.

    None when it takes so few that nothing can be told.
    """
    noise = _noise([celsius for _, celsius in samples[-_HEARD_FOR_NOISE:]])
    while True:
        times, celsius = _points(samples)
        fit = _fit_of_the_likely(times, celsius)
        if fit.explains(max(_KINK_KELVIN, _SIGMAS * noise / math.sqrt(max(1.0, len(samples) / _POINTS)))):
            return fit, celsius[-1] - celsius[0]
        samples = samples[len(samples) // 2 :]
        if len(samples) < _FEWEST_SAMPLES or samples[-1][0] - samples[0][0] < _SHORTEST_SECONDS:
            return None


def _noise(celsius: Sequence[float]) -> float:
    """The standard deviation of a single sample, from second differences, in which a trend cancels out.

    0.6745 is the median of a normal distribution's absolute value, and three values with weights 1, -2, 1 have six
    times the variance of one.
    """
    bends = [abs(a - 2 * b + c) for a, b, c in zip(celsius, celsius[1:], celsius[2:], strict=False)]
    return median(bends) / (0.6745 * math.sqrt(6))


def _points(samples: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """At most `_POINTS` of them: seconds before the newest, and celsius.

    Where there are more samples, each point is the mean of its share of them without the coldest and the hottest: what
    rounding took from one it gave to another.
    """
    newest, count = samples[-1][0], len(samples)
    if count <= _POINTS:
        return [at - newest for at, _ in samples], [celsius for _, celsius in samples]
    edges = [count * point // _POINTS for point in range(_POINTS + 1)]
    shares = [samples[start:end] for start, end in pairwise(edges)]
    times = [sum([at for at, _ in share]) / len(share) - newest for share in shares]
    return times, [_trimmed_mean([celsius for _, celsius in share]) for share in shares]


def _trimmed_mean(values: list[float]) -> float:
    kept = sorted(values)[1:-1] or values
    return sum(kept) / len(kept)


def _fit_of_the_likely(times: Sequence[float], celsius: Sequence[float]) -> _Fit:
    """The fit for the mean of the time constants, weighted by their likelihood, and taken of their logarithms.

    With errors of a Laplace distribution it is the mean distance to the power of minus the number of points.
    """
    weights = [(_fit(times, celsius, tau).miss() + _FLOOR_KELVIN) ** -_WEIGHT for tau in _TIME_CONSTANTS]
    mean = sum(map(operator.mul, weights, _LOGARITHMS)) / sum(weights)
    return _fit(times, celsius, math.exp(mean))


def _fit(times: Sequence[float], celsius: Sequence[float], tau: float) -> _Fit:
    """Theil and Sen's line through celsius over tau * (1 - exp(-t / tau)), whose slope is that at the newest.

    Only points that are half of the time apart say much about a slope, so those are all that are asked.
    """
    bent = [tau - tau * math.exp(-at / tau) for at in times]
    count, half = len(bent), len(bent) // 2
    slopes = [
        (celsius[later] - celsius[earlier]) / (bent[later] - bent[earlier])
        for earlier in range(count - half)
        for later in range(earlier + half, count)
    ]
    slope = median(slopes)
    level = [hot - slope * at for hot, at in zip(celsius, bent, strict=True)]
    middle = median(level)
    return _Fit(tau, middle, slope, [each - middle for each in level])
