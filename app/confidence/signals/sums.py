"""Whether the sums in an answer hold, and whether it makes use of the numbers that it was given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice

from app.confidence import arithmetic
from app.confidence.exchange import Exchange

_SUMS = 100
_QUESTION = 4000
_ANSWER = 16_384
_GIVEN = 2  # one number alone is more often a name, such as a year, than something to reckon with

_NUMBER = re.compile(r"\d{1,15}(?:,\d{3}(?!\d))*(?:\.\d{1,15})?|[^\W\d_]+")
_WORDS = {
    word: float(value)
    for value, words in enumerate(
        (
            *("", "", "two twice double half zwei doppelt hälfte deux double moitié dos doble mitad"),
            *("three triple thrice drei dreimal trois tres", "four vier quatre cuatro quarter viertel quart"),
            *("five fünf cinq cinco", "six sechs seis", "seven sieben sept siete", "eight acht huit ocho"),
            *("nine neun neuf nueve", "ten zehn dix diez", "eleven elf onze once", "twelve dozen zwölf douze doce"),
        )
    )
    for word in words.split()
}


def sums(exchange: Exchange) -> Mapping[str, float]:
    """`false_sums` is the share of the sums stated that do not hold, `numbers_used` that of the question's numbers
    that are in the answer, `uneven_end` 1 where the last number of an answer with sums is no whole one.

    Left out where there are none, the second where the question gives less than two, and the last two while the answer
    is being written.
    """
    told = list(islice(arithmetic.sums(exchange.text, cut=exchange.finish_reason != "stop"), _SUMS))
    values = {"false_sums": told.count(False) / len(told)} if told else {}
    if exchange.finish_reason is None:
        return values
    said = _numbers(exchange.text[-_ANSWER:])
    if told and said:
        values["uneven_end"] = float(said[-1] % 1 != 0)
    given = frozenset(_numbers(exchange.question[-_QUESTION:]))
    if len(given) >= _GIVEN:
        values["numbers_used"] = len(given.intersection(said)) / len(given)
    return values


def _numbers(text: str) -> list[float]:
    """In digits, and the small ones in words; `half` and `double` are 2 both."""
    found = _NUMBER.findall(text.casefold())
    return [
        float(each.replace(",", "")) if each[0].isdecimal() else _WORDS[each]
        for each in found
        if each[0].isdecimal() or each in _WORDS
    ]
