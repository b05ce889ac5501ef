"""Letters of several bytes, and of several tokens, come whole in every piece of a stream."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from tests.live.gateway import Gateway

pytestmark = pytest.mark.live

LETTERS = ["日本語", "👩‍🚀", "Grüße", "한국어 🇰🇷", "עברית"]


def saying(words: list[str], *, stream: bool) -> dict[str, Any]:
    """A chat that can only be answered with these words."""
    properties = {f"w{place}": {"enum": [word]} for place, word in enumerate(words)}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "model": "auto",
        "messages": [{"role": "user", "content": "Say こんにちは 👋🏽."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "words", "strict": True, "schema": schema}},
        "max_tokens": 150,
        "temperature": 0,
        "stream": stream,
    }


def said_in_a_stream(gateway: Gateway, body: dict[str, Any]) -> list[str]:
    """The pieces, from bytes that must be whole letters in each event."""
    answer = httpx.post(f"{gateway.api}/chat/completions", json=body, trust_env=False, timeout=60)
    events = [line.removeprefix(b"data: ") for line in answer.content.split(b"\n\n") if line]
    assert events[-1] == b"[DONE]"
    deltas = [json.loads(event.decode("utf-8"))["choices"][0]["delta"] for event in events[:-1]]
    assert deltas[0]["role"] == "assistant"
    return [delta["content"] for delta in deltas if delta.get("content")]


@pytest.mark.parametrize("word", LETTERS)
def test_a_streamed_letter_is_the_same_as_one_in_a_whole_answer(
    gateway: Gateway, client: openai.OpenAI, word: str
) -> None:
    whole = client.chat.completions.create(**saying([word], stream=False))
    pieces = said_in_a_stream(gateway, saying([word], stream=True))

    assert "".join(pieces) == whole.choices[0].message.content
    assert json.loads("".join(pieces)) == {"w0": word}
    assert all("\N{REPLACEMENT CHARACTER}" not in piece for piece in pieces)


def test_the_sdk_reads_letters_as_they_come(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(**saying(LETTERS, stream=True)))

    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert list(json.loads(text).values()) == LETTERS


def test_the_bytes_of_a_letter_in_several_tokens_are_all_in_the_logprobs(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(**saying(["👩‍🚀"], stream=False), logprobs=True)

    found = answer.choices[0].logprobs
    assert found is not None
    written = bytes(byte for entry in found.content or () for byte in entry.bytes or ())
    assert written.decode() == answer.choices[0].message.content
