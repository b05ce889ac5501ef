"""GET /admin/backends."""

from __future__ import annotations

import asyncio

import pytest

from tests.backends.kinds import KEY
from tests.fakes.answers import Json, Stream
from tests.fakes.ollama_server import OllamaServer
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, backend, running

pytestmark = pytest.mark.anyio


async def test_every_backend_is_described_in_the_order_of_the_configuration() -> None:
    async with OpenAiServer() as first, OllamaServer() as second:
        told = (
            backend("openai", first, id="b", hardware="npu", tier=3, watts=3.5, zone="soc", concurrency=2, queue=5),
            backend("ollama", second, id="a"),
        )
        async with running(*told, zones=[{"id": "soc"}]) as gateway:
            answer = (await gateway.get("/admin/backends")).json()

    assert answer["object"] == "list"
    assert [each["id"] for each in answer["data"]] == ["b", "a"]
    described = answer["data"][0]
    expected = {
        **{"id": "b", "kind": "openai", "hardware": "npu", "tier": 3, "watts": 3.5, "zone": "soc"},
        **{"health": "closed", "ailment": None, "retry_seconds": None, "models": ["small"]},
        **{"capabilities": ["chat", "complete", "embed"], "busy": 0, "waiting": 0, "concurrency": 2, "queue": 5},
    }
    assert {key: described[key] for key in expected} == expected


async def test_what_ails_a_backend_is_said_without_its_address_or_key() -> None:
    async with OpenAiServer() as dead, OpenAiServer() as locked:
        dead.refuse()
        locked.script = lambda _: Json({"error": {"message": f"no such key {KEY}"}}, 401)
        async with running(backend("openai", dead), backend("openai", locked, id="locked")) as gateway:
            answer = await gateway.get("/admin/backends")
            ailments = [each["ailment"] for each in answer.json()["data"]]
            health = [each["health"] for each in answer.json()["data"]]

    assert health == ["open", "open"]
    assert "can't be reached" in ailments[0]
    assert "does not accept the key" in ailments[1]
    assert KEY not in answer.text
    assert "127.0.0.1" not in answer.text


async def test_what_was_learned_of_a_backend_is_shown() -> None:
    async with OpenAiServer() as server, running(backend("openai", server)) as gateway:
        await gateway.post(CHAT)
        learned = (await gateway.backends())["box"]["learned"]

    assert list(learned) == ["small"]
    assert 0 < learned["small"]["first_token_seconds"] < 5
    assert learned["small"]["joules_per_token"] is None


async def test_a_running_answer_takes_a_place_and_gives_it_back() -> None:
    async with OpenAiServer() as server, running(backend("openai", server)) as gateway:
        rest = asyncio.Event()
        server.script = lambda request: Stream([*server.pieces(request)[:2], rest, *server.pieces(request)[2:]])
        async with gateway.opened(CHAT) as response:
            during = (await gateway.backends())["box"]["busy"]
            rest.set()
            await response.aread()
        after = (await gateway.backends())["box"]["busy"]

    assert (during, after) == (1, 0)


async def test_a_backend_is_warmed_up_when_it_should_be() -> None:
    async with OpenAiServer() as server, running(backend("openai", server, warm_up=True)):
        async with asyncio.timeout(5):
            await server.asked(2)
        request = server.requests[1]

    assert request.path == "/v1/chat/completions"
    assert request.body["max_tokens"] == 1
