"""Whether an answer is empty, how long it is, and whether that is too short for the question asked."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping

from app.confidence.exchange import Exchange
from app.confidence.voice import after_thought

#: Characters looked at for something that is more than marks.
LOOKED_AT = 2000

#: An answer of more characters is short for nothing but a number of words or paragraphs.
LONG = 400

_SPECIAL = re.compile(
    r"<\|[^|<>\n]{1,40}+\|>|</?s>|<(?:pad|eos|bos|unk|end_of_turn|start_of_turn|endoftext)>|\[(?:PAD|UNK|CLS|SEP|EOS|MASK)\]"
)
_MARK_ASKED = re.compile(
    r"\b(?:sign|symbol|character|operator|punctuation|mark|bracket|delimiter|separator|zeichen|symbole?|opérateur|signe"
    r"|caractère|signo|símbolo|carácter|segno|simbolo|sinal|teken|operador|satzzeichen|emoji|emoticon)s?\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[぀-ヿ㐀-鿿가-힣]|\w+")
_CODE_MARK = re.compile(r"[(){}\[\]=;<>|*]|`")

_BREVITY = re.compile(
    r"\b(?:one|single|two|1|2)[- ]words?\b|\b(?:in|with) (?:one|a|a single|1) (?:word|number|letter|digit|name)\b"
    r"|\b(?:brief(?:ly)?|short(?:ly| answer)|concise(?:ly)?|yes or no|true or false|kurz|knapp|ja oder nein|einem wort"
    r"|brièvement|en un mot|oui ou non|brevemente|una palabra|sí o no|una parola|sì o no|uma palavra|sim ou não|kort"
    r"|één woord|ja of nee)\b"
    r"|\b(?:just|only|nothing but|nur|seulement|sólo|solo|apenas|alleen)\b",
    re.IGNORECASE,
)
_NUMBERS = {
    **{"three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12},
    **{"fifteen": 15, "twenty": 20, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9},
    **{"zehn": 10, "trois": 3, "quatre": 4, "cinq": 5, "dix": 10, "tres": 3, "cuatro": 4, "cinco": 5, "diez": 10},
    **{"tre": 3, "quattro": 4, "cinque": 5, "dieci": 10, "três": 3, "quatro": 4, "dez": 10, "drie": 3, "vijf": 5},
    "tien": 10,
}
_ITEMS = re.compile(
    r"\b(?:list|name|enumerate|suggest|recommend|nenne|liste|cite|donne|nomme|enumera|nombra|elenca|noem|give(?: me)?)"
    rf"[ ]+(?:(?:me|us|the|top|first|mir|moi) +){{0,3}}(\d{{1,2}}|{'|'.join(_NUMBERS)})[ ]+"
    r"(?!percent|times|plus|minus|squared)[^\W\d_]{3,}",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"\b(?:in|about|around|at least|of|a|an|mindestens|en|unas?)[ ]+(\d{2,5})[ -]"
    r"(?:words?|wörtern?|mots|palabras|parole|palavras|woorden)\b"
    r"(?! or (?:less|fewer)| oder weniger| ou moins| o menos)",
    re.IGNORECASE,
)
_PARAGRAPHS = re.compile(r"\b(two|three|four|five|[2-9])[ -]paragraphs?\b", re.IGNORECASE)

#: What is asked for, and the fewest words that may be it. Far below what is usual: only what can't be it is short.
_KINDS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), least)
    for pattern, least in (
        (
            r"\b(?:write|compose|draft|tell|give|create|schreib\w*|verfasse|erzähle?|écri\w+|rédige\w*|raconte\w*|escrib\w+"
            r"|cuéntame|scriv\w+|racconta\w*|escrev\w+|schrijf|vertel)\b.{0,40}?\b(?:essay|article|story|tale|report"
            r"|blog post|speech|letter|e-?mail|biography|review|aufsatz|geschichte|bericht|brief|rédaction|histoire"
            r"|lettre|ensayo|historia|cuento|carta|saggio|storia|lettera|ensaio|história|opstel|verhaal)\b",
            20,
        ),
        (
            r"\b(?:write|compose|schreib\w*|écri\w+|escrib\w+|scriv\w+)\b.{0,40}?\b(?:poem|song|gedicht|poème|poesia)\b",
            7,
        ),
        (
            r"^\W*(?:please |can you |could you |bitte )?(?:explain|describe|discuss|summari[sz]e|analy[sz]e|outline"
            r"|elaborate|erkläre?|beschreibe?|explique\w*|décri\w+|describ[ea]\w*|explica\w*|spiega\w*|descriv\w+|descrev\w+"
            r"|beschrijf)\b",
            4,
        ),
        (r"^\W*(?:compare|contrast|vergleiche?|comparez?|compara|confronta)\b(?!.{0,20}\d)", 4),
        (r"\b(?:pros and cons|advantages and disadvantages|vor- und nachteile|step by step instructions)\b", 4),
        (r"^\W*how (?:do|does|did|can) \w+ .{0,60}?\b(?:work|function)\b(?! out)", 4),
        (r"^\W*(?:why|warum|weshalb|pourquoi|por qué|perché|por que|waarom)\b", 2),
    )
)
_CODE_ASKED = re.compile(
    r"\b(?:write|implement|create|code|schreib\w*|écri\w+|escrib\w+|scriv\w+|escrev\w+|schrijf)\b.{0,60}?\b(?:function"
    r"|program|script|class|method|code|quer(?:y|ies)|algorithm|funktion|programm|klasse|fonction|programme|función"
    r"|programa|funzione|programma|função|functie)\b",
    re.IGNORECASE | re.DOTALL,
)


def length(exchange: Exchange) -> Mapping[str, float]:
    """`empty`: nothing but white space, marks or special tokens. `log_chars`: natural logarithm of characters and one.

    `short`: too few words for the essay, the list of ten, the code or the reason that was asked for; left out while
    the answer is being written. What was thought aloud before the answer is left out once it has ended. A question that
    asks for nothing of the kind may have the shortest of answers.
    """
    ended = exchange.finish_reason is not None
    text = (after_thought(exchange.text) if ended else exchange.text).strip()
    empty = not exchange.calls and _is_empty(text, exchange.question)
    values = {"empty": float(empty), "log_chars": math.log1p(len(text))}
    if ended:
        values["short"] = float(not exchange.calls and _is_short(text, exchange.question))
    return values


def _is_empty(text: str, question: str) -> bool:
    if text[:1].isalnum():
        return False
    rest = _SPECIAL.sub("", text[:LOOKED_AT]).strip()
    if not rest:
        return True
    if any(unicodedata.category(character)[0] in "LNSM" for character in rest):
        return False
    return _MARK_ASKED.search(question[:LOOKED_AT]) is None


def _is_short(text: str, question: str) -> bool:
    asked = question[:LOOKED_AT]
    count = len(_WORD.findall(text[:8000]))
    if count >= 8000 // 8 or _BREVITY.search(asked):
        return False
    if count < _least_told(asked):
        return True
    if len(text) > LONG:
        return False
    if _CODE_ASKED.search(asked) and count < 4 and not _CODE_MARK.search(text):
        return True
    return any(count < least and pattern.search(asked) for pattern, least in _KINDS)


def _least_told(asked: str) -> int:
    """The fewest words of an answer whose number of items, words or paragraphs is told; 0 where none is.

    A third of the words: nobody counts them well.
    """
    items = _ITEMS.search(asked)
    wanted = _WORDS.search(asked)
    paragraphs = _PARAGRAPHS.search(asked)
    least = _number(items[1]) if items else 0
    if wanted:
        least = max(least, min(int(wanted[1]), 1000) // 3)
    if paragraphs:
        least = max(least, 6 * _number(paragraphs[1]))
    return least


def _number(word: str) -> int:
    return int(word) if word.isdecimal() else _NUMBERS.get(word.lower(), 2)
