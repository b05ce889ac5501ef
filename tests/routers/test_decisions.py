"""GET /admin/decisions and /admin/decisions/{request_id}."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.answers import RESET, Json, Stream
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, COMPLETE, EMBED, RunningGateway, backend, error_of, running

pytestmark = pytest.mark.anyio


async def find(gateway: RunningGateway, request_id: str) -> dict[str, Any]:
    response = await gateway.get(f"/admin/decisions/{request_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_a_decision_tells_the_whole_story_of_a_request() -> None:
    async with OpenAiServer() as first, OpenAiServer() as second, OpenAiServer() as third:
        third.model = "other"
        told = (
            backend("openai", first),
            backend("openai", second, id="spare", tier=2),
            backend("openai", third, id="other"),
        )
        async with running(*told) as gateway:
            first.script = lambda _: Json({}, 500)
            await gateway.post(CHAT, headers={"X-Request-ID": "mine"})
            record = await find(gateway, "mine")

    expected = {
        **{"request_id": "mine", "endpoint": "chat", "model_asked": "small", "key": None, "stream": False},
        **{"outcome": "completed", "error": None, "backend": "spare", "model": "small"},
        "failed_attempts": [{"backend": "box", "reason": "backend 'box' answered 500"}],
    }
    assert {key: record[key] for key in expected} == expected
    assert record["seconds"] >= record["first_chunk_seconds"] > 0
    assert record["usage"]["total_tokens"] == 12
    assert [route["backend"] for route in record["routes"]] == ["box", "spare"]
    assert record["routes"][1]["verdicts"] == [
        {"rule": "mode-order", "reason": "cpu is choice 4 of balanced", "penalty": 30.0, "reject": False},
        {"rule": "prefer-tier", "reason": "tier 2", "penalty": 2.0, "reject": False},
    ]
    (rejected,) = record["rejected"]
    assert rejected["backend"] == "other"
    assert rejected["verdicts"][-1]["rule"] == "serves-model"
    assert rejected["verdicts"][-1]["reject"]


async def test_a_request_that_nobody_could_take_is_remembered_too(gateway: RunningGateway) -> None:
    await gateway.post(CHAT, model="nothing", headers={"X-Request-ID": "lost"})
    record = await find(gateway, "lost")

    assert (record["outcome"], record["backend"], record["routes"]) == ("failed", None, [])
    assert "does not exist" in record["error"]


async def test_a_broken_answer_is_remembered_with_its_reason(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream), handoff={"max_wait_seconds": 0}) as gateway:
        upstream.script = lambda request: Stream([*upstream.pieces(request)[:2], RESET], apart=True)
        await gateway.post(CHAT, headers={"X-Request-ID": "broken"}, stream=True)
        record = await find(gateway, "broken")

    assert record["outcome"] == "broken"
    assert "broke off" in record["error"]
    (handoff,) = record["handoffs"]
    assert (handoff["reason"], handoff["from"], handoff["to"]) == ("fault", "box", None)
    assert (handoff["continuation"], handoff["result"]) == (None, "failed")


async def test_an_answer_that_its_client_left_is_remembered_as_left(
    gateway: RunningGateway, upstream: OpenAiServer
) -> None:
    upstream.script = lambda request: Stream([*upstream.pieces(request)[:2], asyncio.Event()])
    async with gateway.client.stream(
        "POST",
        CHAT,
        json={"model": "small", "messages": [{"role": "user", "content": "Hi"}], "stream": True},
        headers={"X-Request-ID": "left"},
    ):
        assert (await find(gateway, "left"))["outcome"] == "running"
    await gateway.until_idle("box")

    assert (await find(gateway, "left"))["outcome"] == "left"


async def test_the_newest_comes_first_and_the_list_can_be_short(gateway: RunningGateway) -> None:
    for path in (CHAT, COMPLETE, EMBED):
        await gateway.post(path)
    everything = (await gateway.get("/admin/decisions")).json()
    newest = (await gateway.get("/admin/decisions?limit=1")).json()

    assert everything["object"] == "list"
    assert [record["endpoint"] for record in everything["data"]] == ["embed", "complete", "chat"]
    assert newest["data"] == everything["data"][:1]


async def test_only_the_last_ones_are_kept(upstream: OpenAiServer) -> None:
    async with running(backend("openai", upstream), telemetry={"decisions": 2}) as gateway:
        for number in range(3):
            await gateway.post(CHAT, headers={"X-Request-ID": f"n{number}"})
        listed = (await gateway.get("/admin/decisions")).json()["data"]
        forgotten = await gateway.get("/admin/decisions/n0")

    assert [record["request_id"] for record in listed] == ["n2", "n1"]
    assert error_of(forgotten, 404)["code"] == "not_found"


async def test_a_request_id_that_comes_twice_finds_the_newer_one(gateway: RunningGateway) -> None:
    await gateway.post(CHAT, headers={"X-Request-ID": "twice"})
    await gateway.post(COMPLETE, headers={"X-Request-ID": "twice"})

    assert (await find(gateway, "twice"))["endpoint"] == "complete"
    assert len((await gateway.get("/admin/decisions")).json()["data"]) == 1


async def test_what_was_said_is_not_remembered(gateway: RunningGateway, upstream: OpenAiServer) -> None:
    await gateway.post(CHAT, messages=[{"role": "user", "content": "a secret of mine"}])
    text = (await gateway.get("/admin/decisions")).text

    assert "a secret of mine" not in text
    assert upstream.words[0] not in text
