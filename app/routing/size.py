"""How large a model is, as far as its name says."""

from __future__ import annotations

import re

# A size is a word of its own: letters, digits and dots on neither side make "q4_b", "v3b2x" and "1.5.7b" none.
# "8x7b" is a mixture of eight experts; the "A3B" of "30B-A3B" counts only those at work, and is no size.
_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d{1,4})x)?(\d{1,6}(?:\.\d{1,6})?)([bm])(?![a-z0-9]|\.\d)", re.IGNORECASE)
_BILLIONS = {"b": 1.0, "m": 1e-3}


def billions(name: str) -> float | None:
    """Billions of parameters; None when the name does not say. Of several sizes the first counts."""
    found = _SIZE.search(name)
    if found is None:
        return None
    experts, number, unit = found.groups()
    return int(experts or 1) * float(number) * _BILLIONS[unit.lower()]
