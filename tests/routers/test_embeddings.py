"""POST /v1/embeddings."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from app.domain.backend import Capability
from tests.backends.kinds import KINDS_UNDER_TEST, capabilities
from tests.fakes.answers import Answer, Json
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.ollama_server import OllamaServer
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import EMBED, RunningGateway, backend, error_of, logged, running

pytestmark = pytest.mark.anyio

KINDS = [kind for kind in KINDS_UNDER_TEST if Capability.EMBED in capabilities(kind)]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_text_gets_a_vector_of_numbers(kind: str) -> None:
    async with KINDS_UNDER_TEST[kind].server() as server:
        if isinstance(server, OllamaServer):
            server.shown["capabilities"] = ["embedding"]
        async with running(backend(kind, server)) as gateway:
            response = await gateway.post(EMBED, model=server.model, input=["Hi", "Ho"])

    answer = response.json()
    assert response.status_code == 200, answer
    assert answer["object"] == "list"
    assert [(each["object"], each["index"]) for each in answer["data"]] == [("embedding", 0), ("embedding", 1)]
    assert [each["embedding"] for each in answer["data"]] == [[0.5, -0.25]] * 2
    assert answer["usage"]["prompt_tokens"] > 0
    assert answer["usage"]["total_tokens"] > 0


async def test_base64_is_little_endian_float32(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    response = await gateway.post(EMBED, encoding_format="base64")

    encoded = response.json()["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(encoded)) == (0.5, -0.25)
    assert upstream.requests[-1].body["encoding_format"] == "float"


@pytest.mark.parametrize("wanted", ["Hi", ["Hi", "Ho"], [1, 2, 3], [[1, 2], [3]]])
async def test_a_server_that_speaks_the_api_gets_the_input_as_it_came(
    gateway: RunningGateway, upstream: OpenAiServer, wanted: Any
) -> None:
    response = await gateway.post(EMBED, input=wanted, dimensions=2, user="ann", x_mine=1)

    assert response.status_code == 200
    asked = upstream.requests[-1].body
    assert (asked["input"], asked["dimensions"], asked["user"], asked["x_mine"]) == (wanted, 2, "ann", 1)


async def test_token_ids_are_refused_with_a_word_of_advice() -> None:
    async with OllamaServer() as server:
        server.shown["capabilities"] = ["embedding"]
        async with running(backend("ollama", server)) as gateway:
            response = await gateway.post(EMBED, model=server.model, input=[1, 2, 3])

    error = error_of(response, 400)
    assert error["param"] == "input"
    assert "check_embedding_ctx_length=False" in error["message"]


async def test_a_backend_that_makes_no_embeddings_is_no_choice() -> None:
    async with AnthropicServer() as claude, running(backend("anthropic", claude)) as gateway:
        response = await gateway.post(EMBED)

    error = error_of(response, 400)
    assert error["param"] == "model"
    assert "can't make embeddings" in error["message"]


@pytest.mark.parametrize(
    "answer",
    [Json([]), Json({"data": "many"}), Json({"data": [7]}), Json({"data": [{"index": 0}]}), Json({"data": None})],
)
@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_an_answer_that_is_none_is_a_fault_of_the_backend(
    gateway: RunningGateway,
    upstream: OpenAiServer,
    answer: Answer,
    encoding: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    upstream.script = lambda _: answer
    response = await gateway.post(EMBED, encoding_format=encoding)

    assert error_of(response, 502)["code"] == "backend_failed"
    assert "mistake" not in logged(caplog)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": {"text": "Hi"}}, "input"),
        ({"input": ["Hi", 1]}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": -1}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"model": 7}, "model"),
    ],
)
async def test_a_bad_field_is_named(gateway: RunningGateway, changes: dict[str, Any], param: str) -> None:
    assert error_of(await gateway.post(EMBED, **changes), 400)["param"].partition(".")[0] == param


async def test_vectors_of_words_can_not_be_packed(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    upstream.script = lambda _: Json({"data": [{"index": 0, "embedding": ["a", "b"]}]})

    assert error_of(await gateway.post(EMBED, encoding_format="base64"), 502)["code"] == "backend_failed"


async def test_the_answers_head_says_who_made_it(gateway: RunningGateway) -> None:
    response = await gateway.post(EMBED, headers={"X-Request-ID": "mine-1"})

    assert response.headers["x-request-id"] == "mine-1"
    assert response.headers["x-backend-used"] == "box"
    assert response.headers.get_list("content-type") == ["application/json"]


async def test_the_decision_is_remembered_with_its_usage(gateway: RunningGateway) -> None:
    await gateway.post(EMBED, headers={"X-Request-ID": "mine-2"})
    record = (await gateway.get("/admin/decisions/mine-2")).json()

    assert (record["endpoint"], record["outcome"], record["backend"]) == ("embed", "completed", "box")
    assert record["usage"]["prompt_tokens"] == 7
