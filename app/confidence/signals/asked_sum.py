"""Whether the result is right where the question itself is a sum: it is worked out, and the two are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.confidence import arithmetic
from app.confidence.exchange import Exchange

_QUESTION = 300
_ANSWER = 16_384

_LEAD = (
    r"(?:please |can you |could you )?(?:what(?:'s| is| does)|how much (?:is|are|does)|calculate|compute|work out|solve"
    r"|evaluate|was ist|was ergibt|wie ?viel ist|berechne|combien font?|calcule[rz]?|cuánto (?:es|son)|calcula"
    r"|quanto (?:fa|è|é)|calcola|hoeveel is|bereken)?:? *(?:the (?:result|value) of )?"
)
_OPERAND = r"[-(]*\d(?:[\d,.]*\d)?%?\)*"
#: `24/7`, `9-11` and `4x4` are names; with spaces they are sums.
_SIGN = r"(?: +(?:plus|minus|times|multiplied by|divided by|of|x|[-\u2212\u2013/\u00f7]) +| *[+*\u00d7\u00b7] *)"
_TAIL = (
    r"(?: (?:equals?|make|ergibt))?[ ?.!=]*"
    r"(?:(?:answer|reply|respond|just|only|give)\b(?!.*(?:round|near|bin|hex|oct|rom|base|frac))\D{0,80})?"
)
_ASKED = re.compile(f"{_LEAD}(?P<sum>{_OPERAND}(?:{_SIGN}{_OPERAND})+){_TAIL}", re.IGNORECASE | re.DOTALL)

_DIGITS = r"(?<![\w.,])[-\u2212]?\d(?:[\d,]*\d)?(?:\.\d+)?"
_NUMBER = re.compile(_DIGITS)
_RESULT = re.compile(
    r"(?:=|:|\b(?:is|equals?|equal to|gives|makes|get|ist|ergibt|fait|font|es|fa|è|é))[\s*$\\()\[]*"
    rf"(?P<number>{_DIGITS})(?![\d.,]*\d|\s*(?:[-+*/\u00d7\u2212]\s*\d|plus\b|minus\b|times\b))",
    re.IGNORECASE,
)
_MORE = re.compile(r"[-\u2212\d,.]+$")  # it may go on
_NEAR = 100  # characters before a result in which the sum is said again


def asked_sum(exchange: Exchange) -> Mapping[str, float]:
    """`sum_right` is 1 where the result that the answer gives is that of the sum asked for, `sum_wrong` 1 where that
    number is nowhere in it. Both are left out where no plain sum is asked for, where the answer gives no number or not
    clearly one, where a result that is no whole number is given as one, and while the answer is being written.
    """
    question = exchange.question.strip()
    asked = _ASKED.fullmatch(question) if len(question) <= _QUESTION else None
    truth = None if asked is None else arithmetic.worked_out(asked["sum"])
    if asked is None or truth is None or exchange.finish_reason is None:
        return {}
    text = exchange.text[:_ANSWER]
    if exchange.finish_reason != "stop":
        text = _MORE.sub("", text)
    said, given = _given(text, re.findall(r"\d+", asked["sum"]))
    if given is None or (truth % 1 and "." not in given):
        return {}
    right = _same(given, truth)
    if not right and any(_same(each, truth) for each in said):
        return {}
    return {"sum_right": float(right), "sum_wrong": float(not right)}


def _given(text: str, asked: list[str]) -> tuple[list[str], str | None]:
    """All numbers said, but for the sum itself; and which one is its result, or the last result, or the last of all."""
    again = re.compile(r"(?<!\d)" + r"\D{1,20}".join(asked) + r"(?!\d)")
    said = _NUMBER.findall(again.sub(" ", text))
    results = list(_RESULT.finditer(text))
    own = [each["number"] for each in results if again.search(text[max(0, each.start() - _NEAR) : each.start()])]
    others = [each["number"] for each in results][-1:] or said[-1:]
    return said, next(iter(own or others), None)


def _same(written: str, truth: float) -> bool:
    """To the last place that is written."""
    plain = written.replace(",", "").replace("\u2212", "-")
    places = len(plain.partition(".")[2])
    return abs(float(plain) - truth) <= (0.5 * 10.0**-places if places else 0.0) + 1e-9 * max(1.0, abs(truth))
