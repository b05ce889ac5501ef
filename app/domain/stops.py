"""Where an answer ends because one of the client's stop strings has come."""

from __future__ import annotations


class Stops:
    """Lets text through up to the first stop string to be complete, and keeps back what may become one.

    `written` is what has been sent already. A stop string may begin in it: that part can't be taken back, but nothing
    more is let through. One that is complete in it is past. An empty stop string stops nothing.
    """

    def __init__(self, stops: tuple[str, ...], written: str = "") -> None:
        self._stops = tuple(filter(None, stops))
        self._kept = self._beginning(written)
        self._sent = len(self._kept)  # so many of the kept characters are with the client
        self.hit = False

    def feed(self, text: str) -> str:
        if self.hit:
            return ""
        text, sent = self._kept + text, self._sent
        found = []
        for stop in self._stops:
            place = text.find(stop, max(0, sent - len(stop) + 1))
            if place >= 0:
                found.append((place + len(stop), place))
        if found:
            self.hit, self._kept = True, ""
            return text[sent : min(found)[1]]  # the first one to be complete, however the text was cut into pieces
        self._kept = self._beginning(text)
        end = len(text) - len(self._kept)
        self._sent = max(0, sent - end)
        return text[sent:end]

    def rest(self) -> str:
        """What was kept back, when nothing more comes."""
        kept, self._kept, self._sent = self._kept[self._sent :], "", 0
        return kept

    def _beginning(self, text: str) -> str:
        """What at the end of the text may be the beginning of a stop string."""
        return text[len(text) - max([_overlap(text, stop) for stop in self._stops], default=0) :]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text are the beginning of the stop string."""
    place = text.find(stop[0], max(0, len(text) - len(stop) + 1))
    while place >= 0 and not stop.startswith(text[place:]):
        place = text.find(stop[0], place + 1)
    return len(text) - place if place >= 0 else 0
