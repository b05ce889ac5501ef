"""GET /v1/models and /v1/models/{id}."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest

from tests.fakes.answers import Silence
from tests.fakes.full_server import FullServer
from tests.fakes.ollama_server import OllamaServer
from tests.fakes.openai_server import CREATED, OpenAiServer
from tests.routers.running import CHAT, RunningGateway, backend, error_of, running, until

pytestmark = pytest.mark.anyio


async def ids(gateway: RunningGateway, **headers: str) -> list[str]:
    return [model["id"] for model in (await gateway.get("/v1/models", **headers)).json()["data"]]


async def test_the_list_has_every_served_model_every_alias_and_auto() -> None:
    aliases = {"auto": ["*"], "fast": ["small"]}
    async with OpenAiServer() as first, OllamaServer() as second:
        second.model = "qwen3:8b"
        backends = backend("openai", first), backend("ollama", second, id="second")
        async with running(*backends, routing={"aliases": aliases}) as gateway:
            answer = (await gateway.get("/v1/models")).json()

    assert answer["object"] == "list"
    assert {model["id"] for model in answer["data"]} == {"auto", "fast", "small", "qwen3:8b"}
    assert {model["object"] for model in answer["data"]} == {"model"}
    owners = {model["id"]: model["owned_by"] for model in answer["data"]}
    assert owners == {"auto": "isotherm", "fast": "isotherm", "small": "box", "qwen3:8b": "second"}
    assert {model["id"]: model["created"] for model in answer["data"]}["small"] == CREATED


async def test_a_model_that_two_backends_have_is_listed_once() -> None:
    async with (
        OpenAiServer() as first,
        OpenAiServer() as second,
        running(backend("openai", first), backend("openai", second, id="second")) as gateway,
    ):
        assert sorted(await ids(gateway)) == ["auto", "small"]


async def test_a_backend_serves_only_what_its_patterns_allow() -> None:
    async with OpenAiServer() as first, OpenAiServer() as second:
        first.model, second.model = "qwen3:8b", "llama4:8b"
        told = {"models": ["qwen*", "llama*"], "excluded": ["llama4*"]}
        backends = backend("openai", first, **told), backend("openai", second, id="second", **told)
        async with running(*backends) as gateway:
            assert sorted(await ids(gateway)) == ["auto", "qwen3:8b"]
            assert (await gateway.post(CHAT, model="llama4:8b")).status_code == 404


async def test_one_model_can_be_asked_for_even_with_slashes_in_its_name() -> None:
    async with OpenAiServer() as server:
        server.model = "org/small:1b"
        async with running(backend("openai", server)) as gateway:
            found = await gateway.get("/v1/models/org/small:1b")
            encoded = await gateway.get("/v1/models/org%2Fsmall%3A1b")
            alias = await gateway.get("/v1/models/auto")
            unknown = await gateway.get("/v1/models/nothing")

    assert found.json() == {"id": "org/small:1b", "object": "model", "created": CREATED, "owned_by": "box"}
    assert encoded.json() == found.json()
    assert alias.json()["id"] == "auto"
    error = error_of(unknown, 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")


async def test_the_list_answers_in_milliseconds_when_a_backend_is_dead_or_hangs() -> None:
    with FullServer() as full:
        hung = {"id": "hung", "kind": "openai", "url": f"{full.url}/v1", "models": ["big"]}
        async with OpenAiServer() as dead, OpenAiServer() as mute, OpenAiServer() as well:
            dead.refuse()
            mute.script = lambda _: Silence()
            others = [backend("openai", dead, id="dead"), backend("openai", mute, id="mute"), backend("openai", well)]
            async with running(hung, *others, settled=False) as gateway:
                await until(lambda: "small" in gateway.gateway.directory.names())
                spent = []
                for _ in range(20):
                    started = perf_counter()
                    listed = await ids(gateway)
                    spent.append(perf_counter() - started)

    assert set(listed) == {"auto", "small", "big"}
    assert sorted(spent)[len(spent) // 2] < 0.1  # nobody was asked: that would have taken seconds


async def test_models_stay_listed_while_their_backend_is_down() -> None:
    async with OpenAiServer() as server:
        probing = {"interval_seconds": 0.05, "failures": 1}
        async with running(backend("openai", server, health=probing)) as gateway:
            server.refuse()
            await gateway.until_health("box", "open")
            listed = await ids(gateway)
            response = await gateway.post(CHAT)

    assert sorted(listed) == ["auto", "small"]
    assert error_of(response, 503)["code"] == "no_route"


async def test_a_key_sees_only_the_models_that_it_may_ask_for(upstream: OpenAiServer) -> None:
    keys: list[dict[str, Any]] = [
        {"name": "all", "key": "sk-everything"},
        {"name": "some", "key": "sk-something", "models": ["sm*"]},
        {"name": "none", "key": "sk-nothing-at-all", "models": ["other"]},
    ]
    async with running(backend("openai", upstream), server={"api_keys": keys}) as gateway:
        seen = [await ids(gateway, Authorization=f"Bearer {key['key']}") for key in keys]
        hidden = await gateway.get("/v1/models/small", Authorization="Bearer sk-nothing-at-all")

    assert [sorted(each) for each in seen] == [["auto", "small"], ["small"], []]
    assert error_of(hidden, 404)["code"] == "model_not_found"
