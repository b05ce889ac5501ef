"""Whether an answer is in another language than its question, when nothing asks for that."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.confidence.exchange import Exchange
from app.confidence.voice import HEAD, after_thought, spoken

#: Characters of an answer that show its language.
LOOKED_AT = 400

#: Characters that show in which language a long question begins, and in which it ends.
OPENING = 200

_FUNCTION_WORDS: dict[str, str] = {
    "en": "a she they so each the of and to is are was were that this it with for what which who how why when where "
    "from by has have not you your does did can be on in at an or as his her their",
    "de": "der die das und ist sind war nicht ein eine einen einem einer von mit für auf den dem des was welche "
    "welcher wie wer warum wann wo zu im ich du sie es hat haben wird auch sich oder bei aus als an in",
    "fr": "le la les et est sont était ne pas un une des du de que qui quel quelle quels comment pourquoi quand où "
    "dans pour avec sur par il elle ce cette ces ont au aux je vous nous plus ou",
    "es": "el la los las y es son era no un una de del que qué cuál cuáles quién cómo por para con en se su sus está "
    "como más pero al lo fue hay donde dónde cuándo",
    "it": "il lo la i gli le e è sono era non un una di del della dei che chi qual quale come perché quando dove per "
    "con in si su nel nella da al alla più ma anche questo",
    "pt": "o a os as e é são era não um uma de do da dos das que qual quais quem como por para com em no na se ao "
    "mais mas foi está você seu sua pelo pela",
    "nl": "de het een en is zijn was niet van met voor op te dat die dit wat welke wie hoe waarom wanneer waar in aan "
    "er ook bij uit door als of maar je heeft hebben wordt naar",
    "pl": "i w z na nie jest są był że to się do co jak kto kiedy gdzie jaka jaki jakie dla przez od ale oraz który "
    "która",
    "sv": "och att det är en ett som på av för med den inte till var vad vem hur varför när har om från eller vilken "
    "jag",
}
_MEANS = {
    word: tuple(language for language, known in _FUNCTION_WORDS.items() if word in known.split())
    for word in " ".join(_FUNCTION_WORDS.values()).split()
}

_SCRIPTS = {
    script: re.compile(f"[{ranges}]")
    for script, ranges in (
        ("kana", "぀-ヿ"),
        ("han", "㐀-鿿"),
        ("hangul", "가-힣ᄀ-ᇿ"),
        ("cyrillic", "Ѐ-ӿ"),
        ("greek", "Ͱ-Ͽ"),
        ("arabic", "؀-ۿ"),
        ("hebrew", "֐-׿"),
        ("devanagari", "ऀ-ॿ"),
        ("bengali", "ঀ-৿"),
        ("tamil", "஀-௿"),
        ("thai", "฀-๿"),
        ("georgian", "\u10a0-\u10ff"),
        ("armenian", "԰-֏"),
    )
}
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")
_WORD_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
_CODE_MARK = re.compile(r"[{}()\[\];=<>\\^]")

#: Scripts in which so many letters say as much as a short sentence does.
_ENOUGH_OF = {"han": 6, "kana": 6, "hangul": 8}
ENOUGH = 14

#: Function words that it takes, those of one language only counting whole.
_LEAST_SCORE = 1.5

_NAMED = re.compile(
    r"\b(?:translat|übersetz|tradui|traduc|traduz|tradur|tradu|vertaal|överset|przetłumacz|перевед|перевод)"
    r"|\b(?:english|german|french|spanish|italian|portuguese|dutch|polish|swedish|russian|ukrainian|chinese|mandarin"
    r"|cantonese|japanese|korean|arabic|hebrew|hindi|greek|latin|turkish|danish|norwegian|finnish|czech|hungarian"
    r"|romanian|thai|vietnamese|indonesian|bengali|tamil|georgian|armenian|esperanto|language|languages"
    r"|englisch\w*|deutsch\w*|französisch\w*|spanisch\w*|italienisch\w*|portugiesisch\w*|niederländisch\w*|russisch\w*"
    r"|polnisch\w*|chinesisch\w*|japanisch\w*|griechisch\w*|lateinisch\w*|sprachen?"
    r"|anglais\w*|allemand\w*|français\w*|espagnol\w*|italien\w*|portugais\w*|néerlandais\w*|russe|chinois\w*|langues?"
    r"|inglés|ingles\w*|alemán|alemão|aleman\w*|francés|frances\w*|francês|español\w*|espanhol\w*|italiano|portugués"
    r"|português|neerlandés|holandés|ruso|chino|japonés|latín|idiomas?|lenguas?|línguas?|inglês"
    r"|tedesco|spagnolo|portoghese|olandese|russo|cinese|lingua|lingue"
    r"|engels\w*|duits\w*|frans\w*|spaans\w*|italiaans\w*|portugees\w*|nederlands\w*|taal|talen)\b"
    r"|[英德法西韩中日俄漢汉][语語文]|по-\w+ски",
    re.IGNORECASE,
)


def language(exchange: Exchange) -> Mapping[str, float]:
    """`other_language`: 1 where script or function words of the answer are of another language than the question's.

    Left out where either can't be told (names, numbers, code, a few words), and where a language is named in the
    question, a translation is asked for, or the beginning and the end of the question are of two languages.
    """
    answer = _told(spoken(after_thought(exchange.text)[:LOOKED_AT]))
    if not answer:
        return {}
    question = exchange.question
    asked = _told(spoken(question[:LOOKED_AT]))
    if not asked or _names_a_language(question) or (len(question) > 2 * OPENING and _is_mixed(question)):
        return {}
    return {"other_language": float(answer != asked)}


def _names_a_language(question: str) -> bool:
    return any(_NAMED.search(part) for part in (question[:HEAD], question[HEAD:][-HEAD:]))


def _is_mixed(question: str) -> bool:
    """A page in one language, to which something is asked in another: either would do for an answer."""
    return _told(question[:OPENING]) != _told(question[-OPENING:])


def _told(text: str) -> str:
    """The language, or the script where only one language or none of ours is written in it; empty where unknown."""
    if text.isascii():
        return _by_function_words(text) if len(text) >= ENOUGH else ""
    letters = len(_WORD_LETTER.findall(text))
    latin = len(_LATIN.findall(text))
    if latin >= letters / 2:
        return _by_function_words(text) if latin >= ENOUGH else ""
    counts = {script: len(found.findall(text)) for script, found in _SCRIPTS.items()}
    script = max(counts, key=lambda one: counts[one])
    if 10 * counts["kana"] > counts["han"] + counts["kana"]:
        script = "kana"
    shown = counts["kana"] + counts["han"] if script == "kana" else counts[script]
    return script if shown >= _ENOUGH_OF.get(script, ENOUGH) and 2 * shown > letters else ""


def _by_function_words(text: str) -> str:
    """A word of several languages speaks for each of them so much the less. Words in capitals are parts of names."""
    if 30 * len(_CODE_MARK.findall(text)) > len(text):
        return ""
    start = text.lstrip("¿¡ \n\t*#")
    scores: dict[str, float] = {}
    for word in _WORD.findall(start[:1].lower() + start[1:]):
        for known in _MEANS.get(word, ()):
            scores[known] = scores.get(known, 0.0) + 1.0 / len(_MEANS[word])
    ordered = sorted(scores, key=lambda one: scores[one], reverse=True)[:2]
    if not ordered or scores[ordered[0]] < _LEAST_SCORE:
        return ""
    return ordered[0] if len(ordered) < 2 or scores[ordered[0]] >= 1.7 * scores[ordered[1]] else ""
