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
_DENIED_AFTER = re.compile(
    r"\s*(?:is|was|isnt)\s+(?:not|wrong|incorrect|misspelled|misspelt|a misspelling|an incorrect)\b"
)

#: What is said before each question. From a few answers in whole sentences a small model learns to answer in one, and
#: not to tell the story of a word before it tells the word. None of these is asked.
EXAMPLES: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", "The capital of France is Paris."),
    ("How is the number 15 spelled?", "The number 15 is spelled 'fifteen'."),
    ("What is the chemical symbol for hydrogen?", "The chemical symbol for hydrogen is H."),
    ("What is 3 times 4?", "3 times 4 is 12."),
    ("What is the currency of the United States?", "The currency of the United States is the US dollar."),
)

#: How numbers are spelled, at their places.
UNITS: tuple[str, ...] = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS: tuple[str, ...] = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

_NUMERAL = "|".join(sorted(filter(None, (*UNITS, *TENS, "hundred", "thousand", "million")), key=len, reverse=True))
_NUMERALS = re.compile(rf"\b(?:{_NUMERAL})\b(?: (?:and )?(?:{_NUMERAL})\b)*")


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

    def messages(self) -> list[dict[str, str]]:
        """Of a chat, with the examples before."""
        turns = [turn for question, answer in EXAMPLES for turn in (("user", question), ("assistant", answer))]
        return [{"role": role, "content": text} for role, text in (*turns, ("user", self.text))]


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
    subject = fold(question.subject)
    truths = set(map(fold, question.truths))
    known = {*truths, *map(fold, question.rivals), subject} - {""}
    words = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(known, key=len, reverse=True))) + r")\b")
    for sentence in _sentences(answer):
        for found in words.finditer(sentence):
            before, after = sentence[: found.start()], sentence[found.end() :]
            if found.group() != subject and not _DENIED_BEFORE.search(before) and not _DENIED_AFTER.match(after):
                return found.group() in truths
    return False


def _in_words(question: Question, answer: str) -> bool:
    """The first number in words; the first after it was named in digits, where it was."""
    before, named, after = fold(answer).partition(fold(question.subject))
    found = _NUMERALS.search(after if named else before)
    return found is not None and found.group().replace("and ", "") in set(map(fold, question.truths))


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
    "words": _in_words,
    "symbol": _symbol,
    "number": _number,
}
