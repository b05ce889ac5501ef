"""White space at the beginning of a text, as far as the client has it already."""

from __future__ import annotations


class Lead:
    """Lets a text through without what its beginning shares with `had`: the end of what was sent before.

    A model that is given a text without the white space at its end writes all of that again, or the rest of it, or
    none. White space is kept back until something follows it.
    """

    __slots__ = ("_had", "_held")

    def __init__(self, had: str) -> None:
        self._had = had
        self._held = ""

    def feed(self, text: str) -> str:
        if not self._had:
            return text
        self._held += text
        return self.rest() if self._held.strip() else ""

    def rest(self) -> str:
        """What was kept back, when nothing more comes."""
        if not self._held:
            return ""
        text, had = self._held, self._had
        self._held = self._had = ""
        white = len(text) - len(text.lstrip())
        places = range(white, -1, -1)
        return text[next(at for at in places if had.startswith(text[:at]) or had.endswith(text[:at])) :]
