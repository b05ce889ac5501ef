"""What a backend repeats of the text that it was to go on with."""

from __future__ import annotations

from itertools import takewhile

from app.relay.seam import SeamRefusedError

#: So many characters that are equal are no accident, wherever they begin ...
_LEAST = 8
#: ... and so many, where they are the last word, or all that was written.
_LEAST_WHOLE = 3
#: A backend that wrote so much of the answer's beginning again, and then something else, has begun it anew.
_ANEW = 24
#: The farthest from its end that a repetition of the written text's tail begins: at most so much is ever held back.
_TAIL = 120


class Overlap:
    """An `Opening` for `prefill`: lets no character through that was written already, and loses none that is new.

    Left out at the head of what comes, the longest first:
    - all that was written (what LM Studio and older llama.cpp servers do), with or without its leading white space;
      where only its first 24 characters or more come again, the backend is refused;
    - the last 8 characters or more of it;
    - its last word, when that has 3 letters or digits or more and comes again without a space before it ("contin",
      "continue"), whether or not it was complete.

    A text may go on with what it ended with: "can" with "can". Nothing tells that apart from a repetition but the
    text's own habit: what is itself made of repetitions ("haha", "--------"), or stands twice in a row in the written
    text already, is let through. So only a word's, a line's or a text's first doubling, cut in its very middle, is
    taken for a repetition. Text is held back only while it is equal to the beginning of what was written, or to a part
    of its last 120 characters: for ordinary text that is a word or two.
    """

    def __init__(self, written: str) -> None:
        self._written = written
        self._whole = written.lstrip()
        self._tail = written[-_TAIL:]
        last_word = sum(1 for _ in takewhile(str.isalnum, reversed(self._tail)))
        wholes = {len(written), len(self._whole), last_word}
        sizes = range(len(self._tail), _LEAST_WHOLE - 1, -1)
        self._ends = [self._tail[-size:] for size in sizes if size >= _LEAST or size in wholes]
        self._came = ""
        self._decided = False

    def feed(self, text: str) -> str:
        """Raises SeamRefusedError when the backend began its answer anew."""
        if self._decided:
            return text
        self._came += text
        if self._whole.startswith(self._came.lstrip()) or self._came in self._tail:
            return ""
        return self.rest()

    def rest(self) -> str:
        """What was held back, when nothing more comes. Raises as `feed` does."""
        came, self._came, self._decided = self._came, "", True
        return came[self._repeated(came) :]

    def _repeated(self, came: str) -> int:
        """How many characters at the head of what came were written already."""
        new = came.lstrip()
        if len(self._whole) >= _LEAST and new.startswith(self._whole) and not self._is_habit(self._whole):
            return len(came) - len(new) + len(self._whole)
        if len(self._whole) >= _ANEW and new.startswith(self._whole[:_ANEW]):
            raise SeamRefusedError("began its answer anew")
        return next((len(end) for end in self._ends if came.startswith(end) and not self._is_habit(end)), 0)

    def _is_habit(self, piece: str) -> bool:
        """Whether the text may well say this twice in a row."""
        return piece in (piece + piece)[1:-1] or piece + piece in self._written
