"""Completions of the official Python SDK with the real model."""

from __future__ import annotations

import openai
import pytest

from tests.live.gateway import CHAT_MODEL

pytestmark = pytest.mark.live

FRANCE = "The capital of France is"


def test_a_text_is_gone_on_with(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=CHAT_MODEL, prompt=FRANCE, max_tokens=5, temperature=0)

    assert answer.object == "text_completion"
    assert "Paris" in answer.choices[0].text
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5


def test_each_prompt_of_a_list_has_its_choice(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="auto", prompt=[FRANCE, "One, two, three,"], max_tokens=5, temperature=0)

    assert [choice.index for choice in answer.choices] == [0, 1]
    assert "Paris" in answer.choices[0].text
    assert "four" in answer.choices[1].text


def test_each_prompt_of_a_list_has_as_many_choices_as_asked_for(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="auto", prompt=[FRANCE, "One,"], n=2, max_tokens=3)

    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


def test_a_prompt_may_be_tokens(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="auto", prompt=[504, 3575, 282], max_tokens=3)

    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3
    assert answer.choices[0].text


@pytest.mark.parametrize(("name", "value"), [("echo", True), ("suffix", "the end"), ("best_of", 3)])
def test_what_llama_cpp_can_not_do_is_refused_by_its_name(client: openai.OpenAI, name: str, value: object) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.completions.create(model="auto", prompt=FRANCE, max_tokens=3, extra_body={name: value})

    assert (raised.value.param, raised.value.code) == (name, "unsupported_parameter")


def test_logprobs_have_the_shape_of_the_old_api(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="auto", prompt=FRANCE, max_tokens=3, logprobs=2, temperature=0)

    (choice,) = answer.choices
    found = choice.logprobs
    assert found is not None
    tokens = found.tokens or []
    assert "".join(tokens) == choice.text
    assert len(tokens) == len(found.token_logprobs or ()) == len(found.top_logprobs or ()) == 3
    assert found.text_offset == [sum(map(len, tokens[:place])) for place in range(3)]
    assert all(len(top) == 2 for top in found.top_logprobs or ())


def test_a_streamed_completion_says_the_same_as_a_whole_one(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="auto", prompt=FRANCE, max_tokens=8, temperature=0)
    *events, last = client.completions.create(
        model="auto", prompt=FRANCE, max_tokens=8, temperature=0, stream=True, stream_options={"include_usage": True}
    )

    assert "".join(event.choices[0].text for event in events) == whole.choices[0].text
    assert [event.choices[0].finish_reason for event in events][-1] == "length"
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 8
