"""Embeddings of the official Python SDK with the real model."""

from __future__ import annotations

import math

import openai
import pytest

from tests.live.gateway import EMBEDDING_MODEL

pytestmark = pytest.mark.live

CAT, KITTEN, ENGINE = "The cat sleeps on the sofa.", "A kitten is napping on the couch.", "The engine needs new oil."


def likeness(one: list[float], other: list[float]) -> float:
    """The cosine of the angle between them."""
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)


def test_the_sdks_own_encoding_and_plain_numbers_are_the_same_vectors(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model=EMBEDDING_MODEL, input=CAT)
    plain = client.embeddings.create(model=EMBEDDING_MODEL, input=CAT, encoding_format="float")

    assert len(packed.data[0].embedding) == 256
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, rel=1e-6)
    assert packed.usage.prompt_tokens > 0


def test_related_texts_are_nearer_than_unrelated_ones(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model=EMBEDDING_MODEL, input=[CAT, KITTEN, ENGINE])

    assert [item.index for item in answer.data] == [0, 1, 2]
    cat, kitten, engine = (item.embedding for item in answer.data)
    assert likeness(cat, kitten) > likeness(cat, engine) + 0.1


def test_a_vector_may_be_cut_short(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model=EMBEDDING_MODEL, input=CAT, dimensions=64)

    assert len(answer.data[0].embedding) == 64


def test_auto_finds_the_model_that_makes_embeddings(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="auto", input=CAT)

    assert answer.model == EMBEDDING_MODEL


@pytest.mark.parametrize("nothing", ["", ["", "a"], [[1, 2], [3]]])
def test_what_can_not_be_embedded_is_refused_by_its_name(
    client: openai.OpenAI, nothing: str | list[str] | list[list[int]]
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model=EMBEDDING_MODEL, input=nothing)

    assert raised.value.param == "input"


def test_a_model_that_only_chats_makes_no_embeddings(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model="smollm2-135m", input=CAT)

    assert raised.value.param == "model"
