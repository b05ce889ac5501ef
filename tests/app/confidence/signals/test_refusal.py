"""Whether an answer declines, or says that it doesn't know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.confidence.exchange import Exchange
from app.confidence.signals.refusal import refusal


def refuses(text: str, question: str = "What is it?", calls: bool = False) -> bool:
    return refusal(Exchange(question, text, calls=calls))["refusal"] == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "I don't know the answer to that question, but I can try to help you find it.",
        "I don\u2019t know",
        "I do not know the capital of Australia.",
        "I can't help with that.",
        "I'm sorry, but I can't assist with that request.",
        "I apologize, but I cannot provide that information.",
        "I'm unable to answer that.",
        "As an AI language model, I cannot predict the future.",
        "As an AI, I don't have personal opinions.",
        "I don't have enough information to answer.",
        "Unfortunately, I don't have access to real-time data. However, you can look at a weather page.",
        "That's a great question! I don't know.",
        "Hmm, I don't know.",
        "To be honest, I have no idea.",
        "No idea.",
        "I'm not sure what you mean. Could you clarify?",
        "Ich weiß es nicht.",
        "Das weiß ich leider nicht.",
        "Ich kann dir dabei leider nicht helfen.",
        "Entschuldigung, aber ich weiß es nicht.",
        "Je ne sais pas.",
        "Désolé, je ne peux pas répondre.",
        "No lo sé.",
        "Lo siento, no puedo ayudarte con eso.",
        "Non lo so.",
        "Mi dispiace, non posso aiutarti.",
        "Não sei.",
        "Desculpe, mas não posso ajudar.",
        "Ik weet het niet.",
        "Het spijt me, ik kan je daarmee niet helpen.",
        "Я не знаю.",
        "我不知道。",
        "申し訳ありませんが、わかりません。",
    ],
)
def test_declining_and_not_knowing_are_refusals(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "Canberra",
        "I don't know why people say that it is Sydney, but the capital of Australia is Canberra.",
        "Canberra. I don't know why people say Sydney.",
        "I don't know for sure, but I think it's Canberra.",
        "I don't know the exact number, but it is about 40.",
        "I cannot browse the web, but the capital of Australia is Canberra.",
        "As an AI I am asked this often: the capital is Canberra.",
        "The program stops because it is unable to open the file.",
        "Penguins are unable to fly.",
        "Users who don't know the password can't log in.",
        'He said "I don\'t know".',
        "> I can't help with that\n\nThis is what the machine says.",
        "```\nprint('I cannot help with that')\n```",
        "I can't believe it's not butter is a brand of spread.",
        "<think>I don't know this one</think>Canberra",
        "The answer is 42. I can't provide more detail.",
    ],
)
def test_an_answer_is_no_refusal_whatever_words_are_in_it(text: str) -> None:
    assert not refuses(text)


def test_not_knowing_why_is_a_refusal_where_why_was_the_question() -> None:
    assert refuses("I don't know why people say so.", "Why do people say so?")


def test_the_words_asked_for_are_no_refusal() -> None:
    assert not refuses("No lo sé.", "How do you say 'I don't know' in Spanish?")
    assert not refuses("I don't know.", "Translate to English: je ne sais pas")
    assert refuses("I can't help with that.", "Translate to English: je ne sais pas")


def test_the_one_who_writes_in_a_letter_is_somebody_else() -> None:
    assert not refuses("I don't know how to thank you, Bob.", "Write a letter to Bob")
    assert refuses("I can't help with that.", "Write a letter to Bob")


def test_declining_after_a_long_thought_is_a_refusal() -> None:
    assert refuses("<think>" + "The user wants it. " * 100 + "</think>\n\nI can't help with that.")


def test_who_calls_a_tool_declines_nothing() -> None:
    assert not refuses("I don't know.", calls=True)


@given(st.text(), st.text())
def test_whatever_is_said_it_is_one_or_the_other(question: str, text: str) -> None:
    assert refusal(Exchange(question, text)) in ({"refusal": 0.0}, {"refusal": 1.0})


@given(
    st.lists(
        st.sampled_from(
            ["I", "don't", "know", "but", ",", ".", "why", "the", "an", "as", "AI", "cannot", "help", "sorry"]
        )
    )
)
def test_whatever_its_own_words_make_it_is_one_or_the_other(said: list[str]) -> None:
    assert refusal(Exchange("why", " ".join(said))) in ({"refusal": 0.0}, {"refusal": 1.0})
