"""Works out an expression of numbers, signs and brackets."""

from __future__ import annotations

from collections.abc import Sequence

_TOKENS = 64


class NoSumError(ValueError):
    """What stands there can't be worked out."""


class Reader:
    """Works out numbers, `+ - * /` and brackets. Raises NoSumError, ZeroDivisionError."""

    def __init__(self, parts: Sequence[float | str]) -> None:
        if len(parts) > _TOKENS:
            raise NoSumError
        self._parts = [*parts, ""]
        self._at = 0

    def value(self) -> float:
        found = self._sum()
        if self._parts[self._at] != "":
            raise NoSumError
        return found

    def _next(self) -> float | str:
        self._at += 1
        return self._parts[self._at - 1]

    def _sum(self) -> float:
        found = self._product()
        while self._parts[self._at] in ("+", "-"):
            found = found + self._product() if self._next() == "+" else found - self._product()
        return found

    def _product(self) -> float:
        found = self._one()
        while self._parts[self._at] in ("*", "/"):
            found = found * self._one() if self._next() == "*" else found / self._one()
        return found

    def _one(self) -> float:
        part = self._next()
        if isinstance(part, float):
            return part
        if part == "-":
            return -self._one()
        if part != "(":
            raise NoSumError
        found = self._sum()
        if self._next() != ")":
            raise NoSumError
        return found
