"""Doubt that an answer speaks out itself: whole phrases, in several languages, in the model's own voice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from app.confidence.exchange import Exchange
from app.confidence.voice import (
    HEAD,
    Phrases,
    after_thought,
    asks_for_words,
    excerpt,
    lends_its_voice,
    spoken,
    word_set,
    words,
)

#: Doubts beyond these say no more.
MOST = 3

_DOUBTS = Phrases(
    (
        "(i'm|i am) not (|so |too |very |quite |really |exactly |entirely |completely |totally |absolutely |100 )"
        "(sure|certain|confident)",
        "(i'm|i am) (unsure|uncertain|guessing|only guessing|just guessing)",
        "(i'm|i am) (fairly|pretty|almost|reasonably|somewhat) (sure|certain|confident)",
        "i (don't|do not) (|really |actually |exactly )(know|remember|recall)",
        "i (|really |honestly )have no (|real )(idea|clue)",
        "as far as i (know|can tell|could tell|remember|recall|understand|am aware)",
        "to the best of my (knowledge|recollection|memory)",
        "if (i remember|i recall|memory serves)",
        "if (i'm|i am) not mistaken",
        "i (could|might|may) be (wrong|mistaken)",
        "my (|best )guess (is|would be)",
        "i (can't|cannot|can not) (be|say for|say with) (|completely |entirely |absolutely )(sure|certain|certainty)",
        ". (not sure|no idea|maybe|hard to say)",
        "(ich bin|bin ich) (mir |)(da |dabei |dessen |)nicht (|ganz |völlig |wirklich |hundertprozentig )sicher",
        "(ich bin|bin ich) (mir |)(da |)(unsicher|nicht ganz im klaren)",
        "(ich weiß|weiß ich) (|es |das )(|leider |aber )nicht",
        "(ich habe|ich hab|.) (|leider )keine ahnung",
        "(soweit|soviel) ich weiß",
        "(meines wissens|wenn ich mich recht erinnere|wenn ich mich nicht irre|ich könnte mich irren|ich vermute)",
        "je ne suis pas (|tout à fait |vraiment |très |totalement )(sûr|sûre|certain|certaine)",
        "je n'en suis pas (|tout à fait |vraiment )(sûr|sûre|certain|certaine)",
        "je ne (sais|me souviens) pas",
        "(autant que je sache|à ma connaissance|si je ne me trompe|si je me souviens bien|je n'ai aucune idée)",
        "no estoy (|del todo |muy |completamente |totalmente )(seguro|segura)",
        "no (|lo )(sé|recuerdo)",
        "(hasta donde sé|que yo sepa|si no me equivoco|si mal no recuerdo|no tengo ni idea|podría estar equivocado)",
        "non (|ne )sono (|del tutto |molto |proprio )(sicuro|sicura|certo|certa)",
        "non (|lo )(so|ricordo)",
        "(per quanto ne so|per quanto ne sappia|se non sbaglio|se non erro|se ricordo bene|non ho idea)",
        "não (tenho|tenho a) certeza",
        "não (estou certo|estou certa|estou seguro|faço ideia|tenho ideia|sei|me lembro)",
        "(até onde sei|que eu saiba|tanto quanto sei|se não me engano|posso estar enganado)",
        "ik (ben er|ben) niet (|helemaal |heel )zeker",
        "ik weet (|het |dat )niet",
        "(ik heb geen idee|ik kan me vergissen|voor zover ik weet|bij mijn weten|als ik me niet vergis)",
        "(я не уверен|я не уверена|я не знаю|насколько я знаю|если не ошибаюсь)",
        "(nie jestem pewien|nie jestem pewna|nie wiem|o ile wiem|o ile się nie mylę)",
        "我(不确定|不確定|不知道)",
        "(据|據)我所知",
        "(よくわかりません|自信がありません)",
    )
)

#: Where an opinion is asked for, these are what a sure answer says too.
_OPINIONS = Phrases(
    (
        "i (think|guess|believe|suppose|suspect|assume|reckon)",
        "(i'd|i would) (say|guess|think)",
        "ich (glaube|denke|schätze|nehme an)",
        "(glaube|denke|schätze) ich",
        "je (crois|pense|suppose)",
        "(|yo )(creo|supongo)",
        "(credo|penso|suppongo) (che|sia|di)",
        "(|eu )(acho|suponho)",
        "ik (denk|geloof|gok)",
        "(denk|geloof) ik",
        "(я думаю|myślę że|wydaje mi się|我觉得|我認為|と思います)",
    )
)
_OPINION_ASKED = re.compile(
    r"\b(?:you (?:think|believe|say)|(?:your|an) opinion|(?:denkst|glaubst|meinst) du|(?:denken|glauben|meinen) sie"
    r"|deine meinung|penses-tu|pensez-vous|ton avis|votre avis|(?:crees|opinas|piensas)|(?:pensi|credi) che|você acha"
    r"|denk je|jouw mening)\b",
    re.IGNORECASE,
)

#: What makes the words after it somebody else's, a question or a condition.
_NOT_OWN_BEFORE = word_set(
    "say says said saying ask asks asked wrote mean means meaning like do did should can would if when whenever "
    "what how why things wenn falls dass sagen sagt sagte quand dire dit cuando decir dice quando dire dizer als "
    "zeg zegt"
)
#: What makes them no doubt: "I think, therefore", "I believe in", "I don't know of any", "I don't know why you ask".
_NO_DOUBT_AFTER = word_set("therefore donc in about why who you")


def phrases(exchange: Exchange) -> Mapping[str, float]:
    """`hedges`: how many doubts are spoken out, 0 to 3. A count and no share: one doubt in a long answer is one still.

    Quotations, code, block quotes, reported speech, words of the question itself and the "I" of a letter or a story
    that was asked for are not the model's own.
    """
    said = words(spoken(excerpt(after_thought(exchange.text))))
    doubts = _DOUBTS.places(said)
    opinions = _OPINIONS.places(said)
    if not doubts and not opinions:
        return {"hedges": 0.0}
    question = exchange.question[:HEAD]
    if lends_its_voice(question) or asks_for_words(question):
        return {"hedges": 0.0}
    if opinions and _OPINION_ASKED.search(question):
        opinions = []
    asked = " ".join(words(question))
    count = sum(_is_own(said, place, _DOUBTS, asked) for place in doubts)
    count += sum(_is_own(said, place, _OPINIONS, asked) for place in opinions)
    return {"hedges": float(min(count, MOST))}


def _is_own(said: Sequence[str], place: int, book: Phrases, asked: str) -> bool:
    end = place + book.at(said, place)
    before = said[place - 1] if place else "."
    after = said[end : end + 2]
    if after[:1] == [","]:
        after = after[1:]
    if before in _NOT_OWN_BEFORE or (after and after[0] in _NO_DOUBT_AFTER):
        return False
    return " ".join(said[place:end]) not in asked
