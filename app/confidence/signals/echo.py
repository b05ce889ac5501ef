"""Whether an answer only says the words of the question again, as in "The capital of Tunisia is Tunisia".

Such an answer answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.confidence.exchange import Exchange

_QUESTION = 300
_ANSWER = 2000

_ASKS = re.compile(
    r"(?:(?:in|of|on|at|to|for|from|by) )?(?:what|what's|who|who's|whose|which|where|when|wer|was|welche[rsnm]?|wo|wann"
    r"|qui|quel(?:le)?s?|où|quand|quién|cuál|qué|dónde|cuándo|chi|quale|dove|quando|quem|qual|onde|wie|wat|welke?|waar)\b"
)
#: Questions whose answer is in them: what is to be chosen from or said again, and cities named for their countries.
_GIVES = re.compile(
    r"\w city\b(?! of)|[:\n\d]"
    r"|\b(?:or|oder|ou|o|either|between|these|following|list|repeat|same|say|translat\w+|called|mean)\b"
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|\d+")
_FILLERS = frozenset(
    (
        *("a", "an", "the", "is", "are", "was", "were", "it", "its", "it's", "that", "this", "of", "for", "in", "on"),
        *("to", "as", "with", "and", "by", "be", "has", "have", "does", "do", "also", "known", "itself"),
        *("der", "die", "das", "ist", "von", "und", "le", "la", "les", "est", "de", "et", "el", "es", "il", "è", "e"),
    )
)


def echo(exchange: Exchange) -> Mapping[str, float]:
    """1 where no word of the answer is new, 0 where one is.

    Left out where the question asks for nothing in a sentence of its own, or where what is to be answered stands in it;
    where the answer has no words; and while it is being written. `As` within a sentence is arsenic, `as` is nothing.
    """
    question = exchange.question[: _QUESTION + 1].strip().casefold()
    if (
        exchange.finish_reason is None
        or len(question) > _QUESTION
        or not _ASKS.match(question)
        or _GIVES.search(question)
    ):
        return {}
    words = _WORD.findall(exchange.text[:_ANSWER])
    if not words:
        return {}
    first, *others = (words[0].casefold(), *words[1:])
    new = [word for word in (first, *others) if word not in _FILLERS or not others]
    return {"echo": float({word.casefold() for word in new} <= set(_WORD.findall(question)))}
