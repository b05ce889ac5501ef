"""The sums that a text states, and whether they hold: `16 - 3 = 13`, `20% of 50 = 10`, `3 plus 4 is 7`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.confidence.reckoning import NoSumError, Reader

_LENGTH = 16_384
_LINE = 2000

_TOKEN = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d]|,\d)|\d{1,15}(?:\.\d{1,15})?(?![\d]|[,.]\d))"
    r"|(?P<operator>[-+/()]|\*(?!\*)|x(?=\s*[$£€\d(]))"
    r"|(?P<percent>%|percent\b)|(?P<money>[$£€])|(?P<word>[^\W\d_]\w*)|(?P<stop>[.,;:!?](?=\s|$))|(?P<other>\S)"
)
_EQUALS = re.compile(r"(?<![=!<>:+*/-])=(?![=>])|≈")
_WORKED = re.compile(r"<<([^<>]*)>>")
_SPOKEN = (
    (re.compile(r"(?<=[\d)%]) +plus +(?=[-$£€\d(])", re.IGNORECASE), " + "),
    (re.compile(r"(?<=[\d)%]) +minus +(?=[-$£€\d(])", re.IGNORECASE), " - "),
    (re.compile(r"(?<=[\d)%]) +(?:times|multiplied by) +(?=[-$£€\d(])", re.IGNORECASE), " * "),
    (re.compile(r"(?<=[\d)%]) +divided by +(?=[-$£€\d(])", re.IGNORECASE), " / "),
    (re.compile(r"(?<=[\d)%]),? +(?:is equal to|is|equals|gives|makes) +(?=[-$£€]?\d)", re.IGNORECASE), " = "),
)
_BOLD = re.compile(r"(?<!\S)\*\*(?=\S)|(?<=[^\s*])\*\*(?=[\s.,;:!?)]|$)")
_SIGNS = str.maketrans("\u2212\u2013\u00d7\u00b7\u00f7", "--**/", "`")
_WRITTEN = ((r"\times", "*"), (r"\cdot", "*"), (r"\div", "/"), (r"\$", "$"), (r"\%", "%"))
_PER = re.compile(r"(?<=\w) ?/ ?[^\W\d_]{2,}")
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9}
_REST = frozenset({"r", "remainder", "rest", "mod"})
_CENTS = frozenset({"cent", "pence", "penny"})


@dataclass(slots=True)
class _Side:
    """One side of a sum as far as it was read: numbers and signs, and what is known of them."""

    parts: list[float | str] = field(default_factory=list)
    units: set[str] = field(default_factory=set)
    decimals: int = 0
    scale: float = 1.0
    percents: int = 0
    numbers: int = 0
    broken: bool = False
    words: int = 0

    @property
    def open(self) -> bool:
        """A number is due."""
        return not self.parts or (isinstance(self.parts[-1], str) and self.parts[-1] != ")")


def sums(text: str, *, cut: bool = False) -> Iterator[bool]:
    """For each sum that can be worked out, whether it holds to the last place written.

    `cut` says that the text may end in the middle of a number. What mixes units, or has letters for numbers, is left
    out. Text after the first 16,384 characters, or in lines of more than 2,000, is not looked at.
    """
    lines = text[:_LENGTH].splitlines()
    for at, line in enumerate(lines):
        if len(line) > _LINE:
            continue
        last = cut and at == len(lines) - 1
        yield from (told for inner in _WORKED.findall(line) for told in _told(inner, cut=False))
        yield from _told(_WORKED.sub("", line), cut=last)


def worked_out(expression: str) -> float | None:
    """What it comes to; None where it is not a sum, the whole of it, of two numbers or more without units."""
    side = _before(_plain(expression))
    if side.broken or side.units or side.words or side.open or side.numbers < 2:
        return None
    try:
        return Reader(side.parts).value()
    except (NoSumError, RecursionError, ZeroDivisionError):
        return None


def _told(line: str, *, cut: bool) -> Iterator[bool]:
    plain = _plain(line)
    segments = _EQUALS.split(plain)
    rounded = [match[0] == "≈" for match in _EQUALS.finditer(plain)]
    for at in range(len(segments) - 1):
        try:
            left = _before(segments[at])
            right = _after(segments[at + 1], cut=cut and at == len(segments) - 2)
            yield _holds(left, right, roughly=rounded[at])
        except (NoSumError, RecursionError, ZeroDivisionError):
            continue


def _plain(text: str) -> str:
    """With one sign for each operation."""
    plain = _PER.sub("", _BOLD.sub("", text)).translate(_SIGNS)
    for written, sign in _WRITTEN:
        plain = plain.replace(written, sign)
    for spoken, sign in _SPOKEN:
        plain = spoken.sub(sign, plain)
    return plain


def _before(segment: str) -> _Side:
    """The last expression of what stands before the sign. Raises NoSumError."""
    side = _Side()
    for match in _TOKEN.finditer(segment):
        kind, word = match.lastgroup or "", match[0]
        if kind == "stop":
            side = _Side()
        elif kind == "number" and not side.open and side.words:
            side = _Side(broken=side.broken)
            _TAKES[kind](side, word)
        else:
            _TAKES[kind](side, word)
    return side


def _after(segment: str, *, cut: bool) -> _Side:
    """The first expression of what stands after the sign. Raises NoSumError."""
    side, end = _Side(), 0
    for match in _TOKEN.finditer(segment):
        kind, word = match.lastgroup or "", match[0]
        unit_over = side.words and not side.open and (kind == "number" or word == "(")
        if kind == "stop" or unit_over or (word == ")" and side.parts.count("(") <= side.parts.count(")")):
            break
        if word == "(" and not side.open:
            break
        _TAKES[kind](side, word)
        if side.words > 2:
            break
        end = match.end()
    if cut and end >= len(segment.rstrip()):
        raise NoSumError
    return side


def _number(side: _Side, word: str) -> None:
    side.broken |= not side.open  # `1 1/2`
    plain = word.replace(",", "")
    side.decimals = max(side.decimals, len(plain.partition(".")[2]))
    side.parts.append(float(plain))
    side.numbers += 1
    side.words = 0


def _operator(side: _Side, word: str) -> None:
    sign = "*" if word == "x" else word
    if sign == "(" and not side.open:
        side.broken = True
    if side.words > 2:
        side.broken = True
    side.parts.append(sign)
    side.words = 0


def _percent(side: _Side, _: str) -> None:
    if side.open or not isinstance(side.parts[-1], float):
        side.broken = True
        return
    side.parts[-1] /= 100
    side.percents += 1


def _money(side: _Side, word: str) -> None:
    side.units.add(word)


def _word(side: _Side, word: str) -> None:
    """A unit after a number, `of` between two, or a letter that stands for a number."""
    plain = word.lower()
    if side.open:
        if side.parts or len(word) == 1:
            side.broken = True
    elif plain == "of" and (side.percents or "/" in side.parts):
        side.parts.append("*")
    elif plain in _SCALES and isinstance(side.parts[-1], float):
        side.parts[-1] *= _SCALES[plain]
        side.scale = max(side.scale, _SCALES[plain])
    elif len(word) == 1 or plain in _REST:
        side.broken = True
    else:
        side.words += 1
        if side.words == 1:
            side.units.add("$" if plain in ("dollar", "dollars") else plain.removesuffix("s"))


def _nothing(side: _Side, _: str) -> None:
    side.broken = True


_TAKES = {
    "number": _number,
    "operator": _operator,
    "percent": _percent,
    "money": _money,
    "word": _word,
    "stop": _nothing,
    "other": _nothing,
}


def _holds(left: _Side, right: _Side, *, roughly: bool) -> bool:
    _check(left, right)
    stated, found = Reader(right.parts).value(), Reader(left.parts).value()
    inexact = roughly or "/" in left.parts or left.decimals > 0 or left.percents > 0 or "/" in right.parts
    places = (1.0 if right.decimals else 0.5) * 10.0**-right.decimals * right.scale
    slack = max(abs(found), abs(stated)) * (0.01 if roughly else 1e-9) + (places if inexact else 0.0)
    if right.percents:
        return min(abs(found - stated), abs(found / 100 - stated)) <= slack / 100 + 1e-9
    return abs(found - stated) <= slack + 1e-9


def _check(left: _Side, right: _Side) -> None:
    """Raises NoSumError where nothing is worked out, or where units would have to be changed first."""
    units = left.units | right.units
    adds = {"+", "-"} & set(left.parts[1:])
    mixed = adds and (len(left.units) > 1 or 0 < left.percents < left.numbers)
    cents = "$" in units and units & _CENTS
    if left.broken or right.broken or left.numbers < 2 or not right.numbers or right.open or mixed or cents:
        raise NoSumError
