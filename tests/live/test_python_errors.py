"""What goes wrong arrives as the exception of the official Python SDK that programs wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from tests.live.gateway import CHAT_MODEL, EMBEDDING_MODEL, Gateway

pytestmark = pytest.mark.live

Ask = Callable[[openai.OpenAI], object]


def chat(**more: Any) -> Ask:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 2, **more}
    return lambda client: client.post("/chat/completions", body=body, cast_to=object)


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
BAD: dict[str, tuple[Ask, str]] = {
    "no messages": (chat(messages=[]), "messages"),
    "messages of the wrong type": (chat(messages="hello"), "messages"),
    "a role that there isn't": (chat(messages=[{"role": "wizard", "content": "x"}]), "messages.0.role"),
    "too hot": (chat(temperature=9), "temperature"),
    "fewer than no tokens": (chat(max_tokens=-1), "max_tokens"),
    "a number in words": (chat(n="two"), "n"),
    "an image for a model that sees nothing": (chat(messages=[{"role": "user", "content": [IMAGE]}]), "messages"),
    "a tool that is no function": (chat(tools=[{"type": "custom", "custom": {"name": "x"}}]), "tools"),
    "a tool that there isn't": (
        chat(
            tools=[{"type": "function", "function": {"name": "a"}}],
            tool_choice={"type": "function", "function": {"name": "b"}},
        ),
        "tool_choice",
    ),
    "sound from a model of text": (chat(audio={"voice": "alloy", "format": "wav"}), "audio"),
    "stream options without a stream": (chat(stream_options={"include_usage": True}), "stream_options"),
    "a model that only makes embeddings": (chat(model=EMBEDDING_MODEL), "model"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_request_names_the_field(client: openai.OpenAI, bad: str) -> None:
    ask, param = BAD[bad]
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client)

    assert raised.value.param == param
    assert raised.value.type == "invalid_request_error"


def test_a_schema_that_is_none_is_the_callers_fault(client: openai.OpenAI) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "objekt"}}}
    with pytest.raises(openai.BadRequestError, match="objekt"):
        chat(response_format=schema)(client)


def test_a_prompt_that_does_not_fit_is_refused_and_not_cut(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        chat(messages=[{"role": "user", "content": "word " * 6000}])(client)

    assert raised.value.code == "context_length_exceeded"


def test_a_model_that_there_is_not_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        chat(model="gpt-17")(client)

    assert (raised.value.param, raised.value.code) == ("model", "model_not_found")
    assert raised.value.request_id


def test_an_address_that_there_is_not_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.images.generate(prompt="a cat")


def test_a_body_that_is_no_json_is_a_bad_request(gateway: Gateway) -> None:
    answer = httpx.post(f"{gateway.api}/chat/completions", content=b'{"model": ', trust_env=False)

    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_every_model_and_alias_is_listed_and_can_be_retrieved(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}

    assert set(listed) == {"auto", CHAT_MODEL, EMBEDDING_MODEL}
    for name, model in listed.items():
        assert client.models.retrieve(name) == model


def test_a_model_that_is_not_listed_can_not_be_retrieved(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("gpt-17")

    assert raised.value.code == "model_not_found"
