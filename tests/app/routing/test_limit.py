"""How far beyond a limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.routing.limit import MOST, overshoot


@pytest.mark.parametrize(
    ("value", "limit", "share"),
    [(15, 15, 0), (14, 15, 0), (30, 15, 1), (15.75, 15, 0.05), (0.3, 0.2, 0.5), (None, 15, 0), (15, None, 0)],
)
def test_it_is_a_share_of_the_limit(value: float | None, limit: float | None, share: float) -> None:
    assert overshoot(value, limit) == pytest.approx(share)


@pytest.mark.parametrize(("value", "limit"), [(1000, 1), (1, 0), (1, -5)])
def test_there_is_a_most(value: float, limit: float) -> None:
    assert overshoot(value, limit) == MOST


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_further_is_never_less(value: float, more: float, limit: float) -> None:
    assert 0 <= overshoot(value, limit) <= overshoot(value + more, limit) <= MOST
