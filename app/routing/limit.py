"""How far a value is beyond a limit."""

from __future__ import annotations

#: From here on it makes no difference how much further it is.
MOST = 10.0


def overshoot(value: float | None, limit: float | None) -> float:
    """As a share of the limit: 0 within it, 1 at twice as much. What is unknown is not beyond."""
    if value is None or limit is None or value <= limit:
        return 0.0
    return min((value - limit) / limit, MOST) if limit > 0 else MOST
