"""Where an answer that was asked for anew has come as far as what was written."""

from __future__ import annotations

from app.relay.seam import SeamRefusedError

#: How long the tail is: a model may repeat no more than its last sentence. Longer, where the written text repeats it.
_SIZES = (24, 48, 96, 192, 384, 768)
#: A text shorter than this is found anywhere: it has to come first.
_LEAST = 12
_REACH = 400


class Tail:
    """An `Opening` for `anchor`: lets out only what follows the end of the written text.

    The last 24 characters that are no white space are looked for, or as many more as it takes (up to 768) for them to
    occur once in the written text. White space is not compared: a model that goes on may break its lines elsewhere;
    of what follows, as much is left out as the written text already ends with. The place has to come within the first
    400 characters, or within twice the written text's length; a text of fewer than 12 characters has to come first.
    """

    def __init__(self, written: str) -> None:
        text = _squeezed(written)
        tails = [text[-size:] for size in _SIZES]
        unique = [tail for tail in tails if text.find(tail) + len(tail) == len(text)]
        self._anchor = (unique or tails[-1:])[0]
        self._comes_first = len(text) < _LEAST
        self._left = max(_REACH, 2 * len(written)) if unique else 0  # characters within which it is looked for
        self._seen = ""
        self._found = not text
        self._blank = written[len(written.rstrip()) :]

    def feed(self, text: str) -> str:
        """Raises SeamRefusedError when the place has not come where it should, or could not be told from others."""
        if not self._found:
            text = self._behind_the_anchor(text)
        while self._blank and text.startswith(self._blank[0]):
            self._blank, text = self._blank[1:], text[1:]
        if text:
            self._blank = ""
        return text

    def rest(self) -> str:
        """Nothing is held back. Raises SeamRefusedError when the place has never come."""
        if not self._found:
            raise SeamRefusedError("never came to the end of what was written")
        return ""

    def _behind_the_anchor(self, text: str) -> str:
        near = text[: self._left]
        came = self._seen + _squeezed(near)
        place = came.find(self._anchor)
        self._left -= len(near)
        if self._comes_first and not (place == 0 or self._anchor.startswith(came)):
            raise SeamRefusedError("did not begin with what was written")
        if place < 0:
            if not self._left:
                raise SeamRefusedError("did not come to the end of what was written")
            self._seen = came[max(0, len(came) - len(self._anchor) + 1) :]
            return ""
        self._found = True
        ends = [end for end, character in enumerate(near, 1) if not character.isspace()]
        return text[ends[place + len(self._anchor) - len(self._seen) - 1] :]


def _squeezed(text: str) -> str:
    """Without any white space."""
    return "".join(text.split())
