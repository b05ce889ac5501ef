"""How long the change from one backend to another usually takes."""

from __future__ import annotations

from app.domain.handoff import Continuation, Handoff
from app.relay.continuation.kv import shares_state
from backends.lane import Lane

_LEAST_SECONDS = 0.1  # that is reckoned with while nothing is known
_WEIGHT = 0.25


class Stalls:
    """Running means of the last few moves, of those that moved state and of others."""

    def __init__(self) -> None:
        self._seconds: dict[bool, float] = {}

    def learn(self, handoff: Handoff) -> None:
        """What waited for a backend to cool is no measure of it."""
        seconds, continuation = handoff.stall_seconds, handoff.continuation
        if handoff.result != "completed" or seconds is None or continuation is Continuation.WAIT:
            return
        state = continuation is Continuation.KV
        known = self._seconds.get(state, seconds)
        self._seconds[state] = known + (seconds - known) * _WEIGHT

    def usual(self, source: Lane, target: Lane) -> float:
        """Seconds; what the servers' own tests took, or the first token usually takes, where nothing moved yet."""
        state = shares_state(source, target)
        learned = self._seconds.get(state)
        if learned is not None:
            return learned
        moving = getattr(target.backend, "move_seconds", None) if state else None
        first = max((each.first_token_seconds or 0.0 for each in target.learned.values()), default=0.0)
        return max(_LEAST_SECONDS, first if moving is None else moving)
