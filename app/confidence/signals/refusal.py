"""Whether an answer declines, or says that it doesn't know, instead of answering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.confidence.exchange import Exchange
from app.confidence.voice import Phrases, after_thought, asks_for_words, lends_its_voice, spoken, word_set, words

#: Characters in which an answer has begun to decline, if it does.
OPENING = 600

_UNKNOWING = Phrases(
    (
        "i (|really |honestly |actually |simply |just )(don't|do not) (|really |actually )"
        "(know|have an answer|have the answer|have a good answer|have any idea)",
        "i (don't|do not) (|currently )have (|any |enough |the |that |specific )(information|knowledge|data|details)",
        "(i'm|i am) not (|quite |really |entirely |completely |exactly )(sure|certain|aware|familiar)",
        "i have no (|real )(idea|clue|information|knowledge)",
        ". (no idea|not sure|don't know|i dunno|dunno|i couldn't say|i could not say)",
        "(ich weiß|weiß ich|weiß) (|es |das )(|leider |ich )(|es |das )nicht",
        "(dazu habe ich|darüber habe ich|ich habe|ich habe dazu|ich habe darüber) (|leider )keine "
        "(ahnung|information|informationen|antwort)",
        "(. keine ahnung|das weiß ich nicht|das weiß ich leider nicht|ich kenne die antwort nicht)",
        "je (ne sais|ne le sais|sais) pas",
        "(je n'ai aucune idée|. aucune idée|je ne connais pas la réponse|je n'ai pas d'informations)",
        "no (|lo )sé",
        "(no tengo ni idea|. ni idea|no conozco la respuesta|no tengo información|desconozco)",
        "non (|lo )so",
        "(non ho idea|. nessuna idea|non conosco la risposta|non ho informazioni)",
        "(|eu )não sei",
        "(não faço ideia|não tenho ideia|não conheço a resposta|não tenho informações|não tenho certeza)",
        "(ik weet (|het |dat )niet|dat weet ik niet|ik heb geen idee|. geen idee|ik ken het antwoord niet)",
        "(я не знаю|nie wiem|我不知道|わかりません|分かりません)",
    )
)

_DECLINING = Phrases(
    (
        "i (can't|cannot|can not|won't|will not|am unable to|am not able to|couldn't) (|currently |really |directly )"
        "(help|assist|answer|provide|fulfill|comply|do that|do this|tell|give|access|browse|offer|discuss|engage|share"
        "|support|complete|generate|create|write|produce|respond|participate|fulfil|determine|find|process|see|verify)",
        "i'm (unable|not able|not allowed|not permitted|not capable|not programmed|not designed)",
        "i am (unable|not able|not allowed|not permitted|not capable|not programmed|not designed)",
        "i (must|have to|need to) (|respectfully |politely )(decline|refuse)",
        "(i'd rather not|i would rather not|i prefer not to)",
        "i (don't|do not) have (|direct |real-time |any )(|the |an )(access|ability|capability|the ability)",
        "(it is|it's) not possible for me",
        "(as|i am|i'm) (an ai|a language model|an ai model|an ai assistant|an ai language model|a large language model)"
        "(|,) (i|and) (cannot|can't|can not|don't|do not|am not|am unable)",
        "(ich kann|kann ich|ich darf) (|dir |ihnen |das |dabei |damit |diese frage |darauf )"
        "(|dabei |damit |hier |leider )"
        "(nicht|leider nicht|keine auskunft|keine antwort|keine informationen)",
        "(ich bin nicht in der lage|es ist mir nicht möglich)",
        "je ne (peux|puis) (|malheureusement )pas",
        "(je ne suis pas en mesure|il m'est impossible)",
        "no (|te |le |lo )puedo (|ayudar|ayudarte|ayudarle|responder|contestar|proporcionar|darte|hacer|acceder)",
        "no estoy en condiciones de",
        "non (|ti |le )posso (|aiutar|aiutarti|rispondere|fornire|fare|accedere)",
        "(não posso|não consigo) (|ajudar|ajudá|responder|fornecer|fazer|acessar)",
        "ik kan (|je |u |dat |hier |daar |deze vraag )(|hiermee |daarmee |daarbij |helaas )(niet|geen)",
        "(я не могу|nie mogę|我无法|我無法|我不能|お答えできません)",
    )
)

#: Words that an answer may begin with before it declines; a clause that begins so may end in a comma.
_OPENERS = word_set(
    "_ sorry i'm i am my apologies apologize apologise unfortunately sadly honestly frankly actually well hmm hm "
    "oh as to regarding concerning currently afraid thank thanks great good interesting that's what while "
    "although at this hello hi leider entschuldigung tut es als désolé désolée je malheureusement en lo siento "
    "lamentablemente perdón como mi dispiace purtroppo scusa come desculpe sinto infelizmente lamento het spijt "
    "helaas sorry voor 申 す 抱 对 對"
)
_LINKS = word_set(", . but that afraid and say admit aber dass mais que pero ma che mas maar dat")

#: What turns it: after these an answer may follow all the same.
_TURNS = word_set(
    "but however though nevertheless aber jedoch allerdings mais cependant pero embargo ma tuttavia però mas "
    "porém maar echter но ale 但"
)
#: And these show that none does: help is offered, or asked for.
_NO_ANSWER = word_set(
    "i i'm i'd i'll i've you if please feel let can could would we perhaps maybe ich du sie wenn bitte je vous tu "
    "si puedo puedes por se posso puoi per você ik je u als"
)
_GUESS = word_set("think believe guess suspect suppose assume glaube denke vermute crois pense denk geloof know")
_ASIDE = word_set("why who whom if whether warum wer ob pourquoi qui perché porque waarom wie")


def refusal(exchange: Exchange) -> Mapping[str, float]:
    """`refusal`: 1 where the answer opens with declining or not knowing, and no answer follows in the same breath.

    Where a translation or certain words are asked for, "I don't know" may be the answer, and where a letter or a story
    is, nearly anything; so they count for nothing there.
    """
    said = words(spoken(after_thought(exchange.text)[:OPENING]))
    found = {book: book.places(said)[:3] for book in (_DECLINING, _UNKNOWING)}
    if exchange.calls or not any(found.values()):
        return {"refusal": 0.0}
    question = exchange.question
    if found[_UNKNOWING] and (asks_for_words(question) or lends_its_voice(question)):
        found[_UNKNOWING] = []
    asked = word_set(question[:OPENING])
    return {"refusal": float(any(_refuses(said, book, place, asked) for book in found for place in found[book]))}


def _refuses(said: Sequence[str], book: Phrases, place: int, asked: frozenset[str]) -> bool:
    end = place + book.at(said, place)
    if book is _UNKNOWING and _is_aside(said[end : end + 1], asked):
        return False
    return _is_led_up_to(said[1:place]) and not _turns(said[end : end + 40])


def _is_aside(after: Sequence[str], asked: frozenset[str]) -> bool:
    """ "I don't know why people say so" is about something else, unless the question was why."""
    return bool(after) and after[0] in _ASIDE and after[0] not in asked


def _is_led_up_to(before: Sequence[str]) -> bool:
    """Only courtesies, or clauses that open like one, stand before it."""
    if not before:
        return True
    if before[-1] not in _LINKS:
        return len(before) <= 2 and all(word in _OPENERS for word in before)
    starts = [word for at, word in enumerate(before) if (at == 0 or before[at - 1] == ".") and word != "."]
    return len(before) <= 30 and all(word in _OPENERS for word in starts)


def _turns(after: Sequence[str]) -> bool:
    """An answer follows, or a guess."""
    for at, word in enumerate(after):
        if word in _TURNS:
            rest = [one for one in after[at + 1 : at + 6] if one not in (",", ".")]
            return bool(rest) and (rest[0] not in _NO_ANSWER or any(one in _GUESS for one in rest[1:3]))
    return False
