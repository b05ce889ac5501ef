"""How much of an answer is said again, and whether its end is the same piece again and again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.confidence.exchange import Exchange

#: Characters looked at from the end. A token of a stream may cost no more at the end of a long answer than early on.
SHARE_OF = 1000
LOOP_OF = 1200

#: How often a piece of so many characters, or more, stands there before it is a loop: refrains, tables and cries of joy
#: are shorter than that. A piece without a letter (digits, dots, dashes, rules of tables) has to fill 600 characters.
_LEAST_TIMES = ((120, 3), (40, 4), (24, 5))
_LEAST_CHARACTERS = 120
_WITHOUT_LETTERS = 600

_PROBE = 12
_TRIES = 48
_WORD = re.compile(r"\w+")
_AGAIN_ASKED = re.compile(
    r"\b(?:repeat\w*|over and over|in a row|lyrics|chant|mantra|wiederhole\w*|immer wieder|hintereinander|répète\w*"
    r"|repite\w*|repetir|ripet\w+|repita|repete|herhaal\w*)\b"
    r"|\b(?:say|write|print|type|output|sag|schreib\w*|écri\w+|escrib\w+|scriv\w+|escrev\w+|schrijf)\b.{0,80}?"
    r"\b(?:\d+|hundred|ten|twenty|fifty)\b.{0,20}?\b(?:times|mal|fois|veces|volte|vezes|keer)\b",
    re.IGNORECASE | re.DOTALL,
)


def repetition(exchange: Exchange) -> Mapping[str, float]:
    """`repetition`: 1 - distinct n-grams / n-grams, 0 to 1, of three words, or six characters where words are few.

    `loop`: 1 where the text ends in the same piece again and again. Where the question asks for something many times
    there is no loop, and `repetition` tells nothing and is left out.
    """
    text = exchange.text
    again = _loops(text[-LOOP_OF:])
    share = _share(text[-SHARE_OF:])
    if (again or share > 0.1) and _AGAIN_ASKED.search(exchange.question[:LOOP_OF]):
        return {"loop": 0.0}
    return {"repetition": share, "loop": float(again)}


def _share(text: str) -> float:
    words = _WORD.findall(text)
    if 12 * len(words) >= len(text):
        count = len(words) - 2
        distinct = len(set(zip(words, words[1:], words[2:], strict=False)))
    else:
        count = len(text) - 5
        distinct = len({text[at : at + 6] for at in range(count)})
    return 1.0 - distinct / count if count > 0 else 0.0


def _loops(tail: str) -> bool:
    """The end of a loop has stood there before, one period earlier: its last characters are looked for backwards."""
    whole = len(tail)
    tail = tail.rstrip()
    size = len(tail)
    if whole - size >= _WITHOUT_LETTERS:
        return True
    if size < _LEAST_CHARACTERS:
        return False
    probe = tail[-_PROBE:]
    at = size - _PROBE
    for _ in range(_TRIES):
        at = tail.rfind(probe, 0, at + _PROBE - 1)
        period = size - _PROBE - at
        if at < 0 or 3 * period > size:
            return False
        if _stands_often(tail, period):
            return True
    return False


def _stands_often(tail: str, period: int) -> bool:
    piece = tail[-period:]
    covered = max(period * next((times for least, times in _LEAST_TIMES if period >= least), 6), _LEAST_CHARACTERS)
    if not any(map(str.isalpha, piece)):
        covered = max(covered, _WITHOUT_LETTERS)
    return covered <= len(tail) and tail[-covered:-period] == tail[-covered + period :]
