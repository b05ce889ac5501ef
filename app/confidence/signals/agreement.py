"""How far other answers to the same question agree with this one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.confidence.exchange import Exchange

_SAMPLES = 16
_LENGTH = 20_000
_SHORT = 12  # words of an answer that is all key and no wording

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[぀-ヿ㐀-鿿]|[^\W\d_]+")
_GROUPED = re.compile(r",(?=\d{3}(?!\d))")
#: Words that say little by themselves, and words that turn an answer round.
_SMALL = (
    "a an the is are was were be it its this that of to in on at and or so by as der die das ist sind es ein eine und"
    " le la les un une est el los las es una il lo e o os"
)
_DENIALS = "no not never none false nicht nein kein keine nie non pas jamais nunca não falso falsch"


def agreement(exchange: Exchange) -> Mapping[str, float]:
    """The mean over the samples, 0 to 1. Left out where there are none.

    Words of the question count for nothing where an answer has others: they are in every answer. Two short answers
    agree when the key of one is in the other, with the same numbers and the same yes or no; else by the words they
    share. Long ones agree half by the words they share and half by the number they end on, where both have one.
    Source: self-consistency, Wang et al. (arXiv 2203.11171).
    """
    samples = exchange.samples[:_SAMPLES]
    if not samples:
        return {}
    asked = frozenset(_words(exchange.question))
    own = _words(exchange.text)
    return {"agreement": sum(_alike(own, _words(sample), asked) for sample in samples) / len(samples)}


def _words(text: str) -> list[str]:
    return [_GROUPED.sub("", word) for word in _WORD.findall(text[-_LENGTH:].casefold())]


def _alike(one: list[str], other: list[str], asked: frozenset[str]) -> float:
    if one == other:
        return 1.0
    if max(len(one), len(other)) <= _SHORT:
        return _same_key(one, other, asked)
    shared = _shared(_key(one, asked), _key(other, asked))
    ends = [next((word for word in reversed(words) if word[0].isdecimal()), None) for words in (one, other)]
    return shared if None in ends else (shared + float(ends[0] == ends[1])) / 2


def _same_key(one: list[str], other: list[str], asked: frozenset[str]) -> float:
    denials = frozenset(_DENIALS.split())
    if denials.isdisjoint(one) != denials.isdisjoint(other):
        return 0.0
    left, right = _key(one, asked), _key(other, asked)
    numbers = [{word for word in key if word[0].isdecimal()} for key in (left, right)]
    if numbers[0] != numbers[1]:
        return 0.0
    within = left and right and (left <= right or right <= left)
    return 1.0 if within else _shared(left, right)


def _key(words: list[str], asked: frozenset[str]) -> frozenset[str]:
    """What an answer adds to the question; all its words where that is nothing."""
    said, small = frozenset(words), frozenset(_SMALL.split())
    return said - asked - small or said - small or said


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's index; nothing in common where there is nothing."""
    return len(one & other) / max(len(one | other), 1)
