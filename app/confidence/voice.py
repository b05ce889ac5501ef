"""What an answer says in its writer's own voice, and phrases to look for in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import product

#: Characters looked at from the beginning and from the end of a text, so that a long answer costs no more than a page.
HEAD = 1000
TAIL = 500

#: Characters before the end in which a code fence may have begun.
FENCE_OF = 16_000

_OTHERS = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]{1,400}+`"
    r'|"[^"\n]{1,400}+"|“[^“”„]{1,400}+”|„[^„“”]{1,400}+[“”]|«[^«»]{1,400}+»|»[^«»]{1,400}+«'
    r"|「[^「」]{1,400}+」|『[^『』]{1,400}+』"
    r"|['\u2018](?<!\w.)(?:[^'\u2018\u2019\n]|(?<=\w)['\u2019](?=\w)){1,400}+['\u2019](?!\w)",
    re.DOTALL,
)
_MARKS = ("`", '"', "~~~", "“", "„", "«", "»", "「", "『", "\u2018", " '", "\n'", "('")
_THOUGHT = re.compile(r"\s*+<think>")
_THOUGHT_END = "</think>"
_QUOTED_LINE = re.compile(r"^[ \t]{0,8}>[^\n]*", re.MULTILINE)
_TOKEN = re.compile(r"[぀-ヿ㐀-鿿]|\w+(?:'\w+)*|[.!?,;:。\uff01\uff1f\uff0c、\n]")
_STOPS = dict.fromkeys("!?。\uff01\uff1f\n", ".") | dict.fromkeys("\uff0c、", ",")
_CHOICE = re.compile(r"\(([^()]*)\)")
_WRITING = re.compile(
    r"\b(?:write|draft|compose|tell|create|imagine|role-?play|schreibe?|verfasse|erzähle?|écri\w+|rédige\w*|raconte\w*"
    r"|escrib\w+|redacta|cuénta\w*|scriv\w+|raccont\w+|escrev\w+|cont[ae]|schrijf|vertel)\b.{0,60}?"
    r"\b(?:story|tale|poem|letter|e-?mail|song|lyrics|dialog(?:ue)?|monologue|speech|scene|diary|note|message|review"
    r"|geschichte|gedicht|brief|lied|dialog|lettre|histoire|poème|conte|cuento|historia|poema|carta|correo|racconto"
    r"|storia|poesia|lettera|história|verhaal|bericht)\b",
    re.IGNORECASE | re.DOTALL,
)
_WORDS_ASKED = re.compile(
    r"\b(?:translat\w+|how (?:do|would|can) (?:you|i|we|one) (?:say|write)|repeat|übersetz\w*|wie sagt man"
    r"|tradui\w+|comment dit-on|traduc\w+|traduz\w+|tradur\w+|vertaal\w*|cómo se dice|come si dice|hoe zeg)\b"
    r"|(?:^|[.!:] )(?:please |just |bitte )?(?:say|sag|dis|di|diga|zeg)\b"
    r"|[\"“„«].{0,200}?\b(?:mean|bedeutet|signifie|significa|betekent)",
    re.IGNORECASE | re.DOTALL,
)


def after_thought(text: str) -> str:
    """Without what was thought aloud before the answer; nothing is left while it is still being thought."""
    if not _THOUGHT.match(text):
        return text
    end = text.find(_THOUGHT_END)
    return text[end + len(_THOUGHT_END) :] if end >= 0 else ""


def excerpt(text: str) -> str:
    """The beginning and the end of a long text; an end that is within a code fence says so."""
    if len(text) <= HEAD + TAIL:
        return text
    fence = "```" if text.count("```", max(0, len(text) - FENCE_OF), len(text) - TAIL) % 2 else ""
    begun = text.count("```", 0, HEAD) % 2
    return f"{text[:HEAD]}{'```' if begun else ''}\n{fence}{text[-TAIL:]}"


def spoken(text: str) -> str:
    """Without code, quotations and block quotes; `_` stands where something was left out."""
    if text.startswith("'") or any(mark in text for mark in _MARKS):
        text = _OTHERS.sub(" _ ", text)
    return _QUOTED_LINE.sub("_", text) if ">" in text else text


def words(text: str) -> list[str]:
    """In small letters, with marks as words of their own; a dot for all that ends a sentence, and one in front."""
    plain = unicodedata.normalize("NFC", text).casefold().replace("\u2019", "'")
    said = [_STOPS.get(word, word) for word in _TOKEN.findall(plain)]
    said.insert(0, ".")
    return said


def word_set(text: str) -> frozenset[str]:
    """The words of a list of words."""
    return frozenset(words(text)[1:])


def lends_its_voice(question: str) -> bool:
    """Whether a letter, a story or the like is asked for, in which "I" is somebody else."""
    return _WRITING.search(question[:HEAD]) is not None


def asks_for_words(question: str) -> bool:
    """Whether a translation or certain words are asked for, so that "I don't know" may be the answer."""
    return _WORDS_ASKED.search(question[:HEAD]) is not None


class Phrases:
    """Whole phrases, found by their words. `(a|b|)` in a phrase is a choice."""

    __slots__ = ("_known", "_lengths")

    def __init__(self, phrases: Iterable[str]) -> None:
        self._known = {tuple(words(one)[1:]) for phrase in phrases for one in _spelled_out(phrase)}
        lengths: dict[str, set[int]] = {}
        for known in self._known:
            lengths.setdefault(known[0], set()).add(len(known))
        self._lengths = {first: sorted(all_lengths, reverse=True) for first, all_lengths in lengths.items()}

    def at(self, said: Sequence[str], place: int) -> int:
        """How many words the longest phrase has that begins at `place`; 0 where none does."""
        for length in self._lengths.get(said[place], ()):
            if (found := tuple(said[place : place + length])) in self._known:
                return len(found)
        return 0

    def places(self, said: Sequence[str]) -> list[int]:
        """Where a phrase begins."""
        lengths = self._lengths
        return [place for place, word in enumerate(said) if word in lengths and self.at(said, place)]


def _spelled_out(phrase: str) -> list[str]:
    parts = _CHOICE.split(phrase)
    return ["".join(chosen) for chosen in product(*(part.split("|") for part in parts))]
