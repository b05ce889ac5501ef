"""An answer goes on at Ollama by the prompt that the server itself renders: many of its templates close the turn."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.backend import Capability
from app.domain.errors import JobRejectedError
from app.domain.handoff import Begun
from tests.backends.kinds import events, job, text
from tests.backends.ollama import MODEL, ollama

pytestmark = pytest.mark.anyio

BEGUN = Begun("Grüße aus")
REST = " 日本 🙂!"
ASKED = {"role": "user", "content": "Hi"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}


async def further(backend: Any, begun: Begun = BEGUN, **more: Any) -> list[dict[str, Any]]:
    answer = backend.prefill(job(Capability.CHAT, MODEL, **more), begun)
    return events(b"".join([block async for block in answer]))


async def test_the_prompt_is_asked_for_and_then_gone_on_with_as_it_is() -> None:
    async with ollama(keep_alive="1h") as (server, backend):
        assert text(await further(backend, temperature=0.5, stop=["x"], max_tokens=9)) == REST

    rendered, generated = server.requests
    options = {"stop": ["x"], "temperature": 0.5, "num_ctx": 2048}
    common = {"model": MODEL, "truncate": False, "shift": False, "keep_alive": "1h", "think": False}
    assert (rendered.path, generated.path) == ("/api/chat", "/api/generate")
    assert rendered.body == {
        **common,
        "messages": [ASKED],
        "stream": False,
        "_debug_render_only": True,
        "options": {**options, "num_predict": 1},
    }
    assert generated.body == {
        **common,
        "prompt": "<user>Hi<end><assistant>Grüße aus",
        "raw": True,
        "stream": True,
        "options": {**options, "num_predict": 9},
    }


async def test_the_model_is_not_loaded_anew_between_the_two() -> None:
    async with ollama() as (server, backend):
        await further(backend, Begun("word " * 3000))

    assert [request.body["options"]["num_ctx"] for request in server.requests] == [16384, 16384]


async def test_a_server_that_does_not_tell_its_prompt_is_not_asked_to_go_on() -> None:
    async with ollama() as (server, backend):
        server.renders = False
        with pytest.raises(JobRejectedError, match="renders"):
            await further(backend)

    (request,) = server.requests
    assert request.body["options"]["num_predict"] == 1


@pytest.mark.parametrize(
    "more",
    [
        {"tools": [TOOL]},
        {"response_format": {"type": "json_object"}},
        {"messages": [{"role": "user", "content": [PICTURE]}]},
    ],
    ids=["tools", "a schema", "an image"],
)
async def test_what_a_raw_prompt_can_not_say_is_rejected_at_once(more: dict[str, Any]) -> None:
    async with ollama() as (server, backend):
        with pytest.raises(JobRejectedError, match="plain text"):
            await further(backend, **more)

    assert server.requests == []


async def test_tools_that_may_not_be_called_are_no_hindrance() -> None:
    async with ollama() as (_, backend):
        assert text(await further(backend, tools=[TOOL], tool_choice="none")) == REST


async def test_a_model_that_answers_in_channels_is_not_given_a_text_to_begin_with() -> None:
    async with ollama() as (server, backend):
        server.shown["details"]["family"] = "gptoss"
        await backend.probe()
        with pytest.raises(JobRejectedError):
            await further(backend)


async def test_the_template_is_told_not_to_think_whatever_the_caller_wanted() -> None:
    async with ollama() as (server, backend):
        assert text(await further(backend, Begun("Grüße aus", reasoning="Hm."), think=True)) == REST

    assert [request.body["think"] for request in server.requests] == [False, False]
    assert "Hm." not in server.requests[1].body["prompt"]


@pytest.mark.parametrize(("alternatives", "asked"), [(2, 2), (None, 0)])
async def test_the_logprobs_are_those_of_a_chat(alternatives: int | None, asked: int) -> None:
    async with ollama() as (server, backend):
        told = await further(backend, logprobs=True, top_logprobs=alternatives)

    found = [choice["logprobs"] for each in told for choice in each["choices"] if choice["logprobs"]]
    assert [entry["token"] for each in found for entry in each["content"]] == [" 日本", " 🙂", "!"]
    assert server.requests[1].body["top_logprobs"] == asked
