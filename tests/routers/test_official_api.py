"""What the gateway answers is what OpenAI's own description says, whatever kind of backend made it."""

from __future__ import annotations

import base64
from typing import Any

import jsonschema
import pytest

from app.domain.backend import Capability
from tests.backends.kinds import KINDS_UNDER_TEST, capabilities
from tests.fakes.answers import RESET, Stream
from tests.fakes.ollama_server import OllamaServer
from tests.fakes.openai_server import OpenAiServer
from tests.routers.official import FILE, OfficialApi
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, Streamed, backend, running

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not FILE.exists(), reason=f"{FILE.name} is not beside this checkout"),
]

of_every_kind = pytest.mark.parametrize("kind", KINDS_UNDER_TEST)
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


def able(capability: Capability) -> list[str]:
    return [kind for kind in KINDS_UNDER_TEST if capability in capabilities(kind)]


@pytest.fixture(scope="module")
def official() -> OfficialApi:
    return OfficialApi()


def test_the_check_would_find_a_fault(official: OfficialApi) -> None:
    for wrong in ({}, {"error": {"message": "no"}}, {"error": {"message": 1, "type": "", "param": None, "code": None}}):
        with pytest.raises(jsonschema.ValidationError):
            official.validate(wrong, "ErrorResponse")
    with pytest.raises(jsonschema.ValidationError):
        official.validate({"id": "1", "choices": [{"index": 0}]}, "CreateChatCompletionResponse")


@of_every_kind
async def test_a_whole_chat(kind: str, official: OfficialApi) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        for changes in ({}, {"n": 2}, {"tools": TOOLS}, {"max_completion_tokens": 5}):
            answer = await gateway.post(CHAT, model=server.model, **changes)
            official.validate(answer.json(), "CreateChatCompletionResponse")


@of_every_kind
async def test_every_chunk_of_a_chat(kind: str, official: OfficialApi) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        for changes in ({}, {"n": 2}, {"stream_options": {"include_usage": True}}):
            _all_chunks(official, await gateway.stream(CHAT, model=server.model, **changes))


@pytest.mark.parametrize("kind", able(Capability.COMPLETE))
async def test_a_completion_and_each_of_its_chunks(kind: str, official: OfficialApi) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        for changes in ({}, {"n": 2}, {"prompt": ["a", "b"]}):
            answer = await gateway.post(COMPLETE, model=server.model, **changes)
            official.validate(answer.json(), "CreateCompletionResponse")
            streamed = await gateway.stream(COMPLETE, model=server.model, **changes)
            for event in streamed.events:
                _completion_chunk(official, event)


@pytest.mark.parametrize("kind", ["llamacpp", "ollama"])
async def test_log_probabilities(kind: str, official: OfficialApi) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server, running(backend(kind, server)) as gateway:
        chat = await gateway.post(CHAT, model=server.model, logprobs=True, top_logprobs=1)
        completion = await gateway.post(COMPLETE, model=server.model, logprobs=1)
        chunks = await gateway.stream(CHAT, model=server.model, logprobs=True, top_logprobs=1)

    official.validate(chat.json(), "CreateChatCompletionResponse")
    official.validate(completion.json(), "CreateCompletionResponse")
    assert chat.json()["choices"][0]["logprobs"]["content"]
    assert completion.json()["choices"][0]["logprobs"]["tokens"]
    _all_chunks(official, chunks)


@pytest.mark.parametrize("kind", able(Capability.EMBED))
async def test_embeddings(kind: str, official: OfficialApi) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server:
        if isinstance(server, OllamaServer):
            server.shown["capabilities"] = ["embedding"]
        async with running(backend(kind, server)) as gateway:
            answer = (await gateway.post(EMBED, model=server.model, input=["a", "b"])).json()
            packed = (await gateway.post(EMBED, model=server.model, encoding_format="base64")).json()

    official.validate(answer, "CreateEmbeddingResponse")
    assert len(base64.b64decode(packed["data"][0]["embedding"])) == 8


async def test_the_list_of_models(gateway: RunningGateway, official: OfficialApi) -> None:
    official.validate((await gateway.get("/v1/models")).json(), "ListModelsResponse")
    official.validate((await gateway.get("/v1/models/small")).json(), "Model")
    official.validate((await gateway.get("/v1/models/auto")).json(), "Model")


async def test_errors_before_and_amid_an_answer(
    gateway: RunningGateway, upstream: OpenAiServer, official: OfficialApi
) -> None:
    for response in (
        await gateway.post(CHAT, model=7),
        await gateway.post(CHAT, model="nothing"),
        await gateway.post(EMBED, input=[]),
        await gateway.get("/v1/models/nothing"),
        await gateway.get("/nowhere"),
    ):
        official.validate(response.json(), "ErrorResponse")
    upstream.script = lambda request: Stream([*upstream.pieces(request)[:2], RESET], apart=True)
    answer = await gateway.stream(CHAT)
    official.validate(answer.events[-1], "ErrorResponse")


def _all_chunks(official: OfficialApi, answer: Streamed) -> None:
    assert len(answer.events) > 2
    for event in answer.events:
        official.validate(event, "CreateChatCompletionStreamResponse")


def _completion_chunk(official: OfficialApi, event: dict[str, Any]) -> None:
    """The description has no chunk of its own: it says that they have the same shape, with null until the end."""
    choices = [
        {"logprobs": None, **choice, "finish_reason": choice["finish_reason"] or "stop"} for choice in event["choices"]
    ]
    told = {key: value for key, value in event.items() if key != "usage" or value is not None}
    official.validate({**told, "choices": choices}, "CreateCompletionResponse")
