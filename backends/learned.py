"""What the answers of a backend's models have taught, as exponentially weighted means."""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.backend import NOTHING_LEARNED, Learned

_NEWEST_SHARE = 0.2  # about the last ten answers count
_MOST_MODELS = 256
_FEWEST_TOKENS = 8  # that say how fast they were written
_SHORTEST_SECONDS = 0.001  # what came in one piece was written before it came


class Lessons:
    """By model; the model that was used the longest time ago is forgotten first when there are too many.

    `place_seconds` is how long a place is taken, whatever the model. Each answer makes three new values of what was
    learned, without `dataclasses.replace`, which takes three times as long.
    """

    def __init__(self) -> None:
        self.place_seconds: float | None = None
        self._learned: dict[str, Learned] = {}

    def of(self, model: str) -> Learned:
        return self._learned.get(model, NOTHING_LEARNED)

    def items(self) -> Iterable[tuple[str, Learned]]:
        return self._learned.items()

    def began(self, model: str, seconds: float) -> None:
        """The first of an answer came that long after its place was taken."""
        known = self.of(model)
        learned = Learned(
            _mean(known.first_token_seconds, seconds),
            known.tokens_per_second,
            known.tokens,
            known.seconds,
            known.joules_per_token,
            known.watts,
        )
        self._keep(model, learned)

    def ended(self, model: str, seconds_writing: float, tokens: int | None, seconds_in_place: float) -> None:
        """An answer of so many tokens took that long from its first to its last, and its place that long in all."""
        known = self.of(model)
        rate = None
        if tokens is not None and tokens >= _FEWEST_TOKENS and seconds_writing >= _SHORTEST_SECONDS:
            rate = (tokens - 1) / seconds_writing
        self.place_seconds = _mean(self.place_seconds, seconds_in_place)
        learned = Learned(
            known.first_token_seconds,
            _mean(known.tokens_per_second, rate),
            _mean(known.tokens, tokens),
            _mean(known.seconds, seconds_in_place),
            known.joules_per_token,
            known.watts,
        )
        self._keep(model, learned)

    def cost(self, model: str, joules: float, tokens: int | None, seconds: float) -> None:
        """An answer of so many tokens took that much energy over that time."""
        known = self.of(model)
        learned = Learned(
            known.first_token_seconds,
            known.tokens_per_second,
            known.tokens,
            known.seconds,
            _mean(known.joules_per_token, joules / tokens if tokens else None),
            _mean(known.watts, joules / seconds if seconds > 0 else None),
        )
        self._keep(model, learned)

    def _keep(self, model: str, learned: Learned) -> None:
        self._learned.pop(model, None)
        self._learned[model] = learned
        if len(self._learned) > _MOST_MODELS:
            del self._learned[next(iter(self._learned))]


def _mean(known: float | None, newest: float | None) -> float | None:
    if known is None or newest is None:
        return known if newest is None else newest
    return known + _NEWEST_SHARE * (newest - known)
