"""Whether an answer in plain words is right, where the truth is short and known."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_SENTENCE_END = re.compile(r"[.!?][\"')\u201d\u2019]*\s+(?=[^a-z\s])|\n+")
_DIGITS = r"[-\u2212]?\d(?:[\d,]*\d)?(?:\.\d+)?"
_NUMBER = re.compile(rf"(?<![\w.,]){_DIGITS}")
_RESULT = re.compile(
    r"(?:=|:|\b(?:is|are|equals?|equal to|get|results in|gives(?: us| you)?)\b)[\s*$\\()\[]*"
    + f"(?P<number>{_DIGITS})",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:,\d{3})*$)")
_SYMBOL = re.compile(r"(?:\bis:?|[\"'(*`\u201c\u2018])[\s\"'(*`\u201c\u2018]*(?P<token>[A-Z][a-z]{0,2})(?!\w)")

#: What stands before or after a word that is named, but not given as the answer.
_DENIED_BEFORE = re.compile(r"\b(?:not|isnt|instead of|rather than|than|unlike)(?: the)?\s*$")
_SPELT_BEFORE = re.compile(
    r"\b(?:not|isnt|instead of|rather than|than|of|for|the word|spell|misspelling|(?:incorrect|wrong) spelling is)\s*$"
)
_DENIED_AFTER = re.compile(
    r"\s*(?:is|was|isnt)\s+(?:not|wrong|incorrect|misspelled|misspelt|a misspelling|an incorrect)\b"
)
_BOTH = re.compile(r"\bboth\b|\bneither\b|\beither (?:is|spelling|one)\b")


@dataclass(frozen=True, slots=True)
class Question:
    """`truths` are all right answers, `rivals` the wrong ones that could be given instead; `form` says how to read one.

    `topic` is the family, what an evaluation leaves out as a whole; `kind` is the way of asking within it. `subject` is
    what is asked about: an answer that says it again has not said the truth, even where the truth is a word of it.
    """

    topic: str
    kind: str
    text: str
    truths: tuple[str, ...]
    rivals: tuple[str, ...] = ()
    subject: str = ""
    form: str = "name"


def right(question: Question, answer: str) -> bool:
    """The truth is what is given, and nothing else in its stead. Raises KeyError for a form that is not known."""
    return _FORMS[question.form](question, answer)


def fold(text: str) -> str:
    """Words alone: without case, accents and punctuation."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    bare = re.sub(r"(?<=\w)['\u2019`](?=\w)", "", bare.casefold())
    return " ".join(re.findall(r"\w+", bare))


def _named(question: Question, answer: str) -> bool:
    """The first name that is known and not denied is the truth; a longer name hides a shorter one."""
    return _first_given(question, answer, _DENIED_BEFORE) in set(map(fold, question.truths))


def _spelt(question: Question, answer: str) -> bool:
    """As a name, but "the correct spelling of this is that" gives only that."""
    first = next((sentence for sentence in _sentences(answer) if sentence), "")
    given = _first_given(question, answer, _SPELT_BEFORE)
    return given in set(map(fold, question.truths)) and not _BOTH.search(first)


def _first_given(question: Question, answer: str, aside_before: re.Pattern[str]) -> str:
    subject = fold(question.subject)
    known = {*map(fold, question.truths), *map(fold, question.rivals), subject} - {""}
    words = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(known, key=len, reverse=True))) + r")\b")
    for sentence in _sentences(answer):
        for found in words.finditer(sentence):
            before, after = sentence[: found.start()], sentence[found.end() :]
            if found.group() != subject and not aside_before.search(before) and not _DENIED_AFTER.match(after):
                return found.group()
    return ""


def _sentences(answer: str) -> Iterator[str]:
    """A full stop in "St. John's" or "D.C." ends none."""
    plain = re.sub(r"\b(St|Mt|U\.S|D\.C|Dr)\.", r"\1", answer)
    return map(fold, _SENTENCE_END.split(plain))


def _symbol(question: Question, answer: str) -> bool:
    """The first thing that is given as a symbol: "In" and "He" are words too."""
    alone = answer.strip().strip("\"'*`.")
    if re.fullmatch(r"[A-Z][a-z]{0,2}", alone):
        return alone in question.truths
    found = _SYMBOL.search(answer)
    return found is not None and found["token"] in question.truths


def _number(question: Question, answer: str) -> bool:
    """The last number given as a result; as the result of just what was asked, where that is said again."""
    results = [found for found in _RESULT.finditer(answer) if not _goes_on(answer[found.end() :])]
    asked = re.compile(r"\D{1,12}".join(re.findall(r"\d+", question.text)) + r"\s*$")
    numbers = [
        found["number"] for found in results if asked.pattern != r"\s*$" and asked.search(answer[: found.start()])
    ]
    numbers = numbers or [found["number"] for found in results] or _NUMBER.findall(answer)
    if not numbers:
        return False
    return _THOUSANDS.sub("", numbers[-1]).replace("\u2212", "-") in question.truths


def _goes_on(rest: str) -> bool:
    """A number that goes on as a calculation is no result."""
    return re.match(r"\s*(?:[-+*/\u00d7\u2212]\s*\d|plus|minus|times)", rest) is not None


_FORMS: Mapping[str, Callable[[Question, str], bool]] = {
    "name": _named,
    "spelling": _spelt,
    "symbol": _symbol,
    "number": _number,
}
