"""When the official Python SDK tries again, and when it is told not to; the backend is a fake that fails on demand."""

from __future__ import annotations

import asyncio
from pathlib import Path

import openai
import pytest

from tests.fakes.answers import Json
from tests.fakes.openai_server import OpenAiServer
from tests.live.fake_backend import failing, in_front_of
from tests.live.gateway import eventually

pytestmark = [pytest.mark.live, pytest.mark.anyio]

KEY = "sk-the-right-one"


async def ask(client: openai.AsyncOpenAI) -> str | None:
    answer = await client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}])
    return answer.choices[0].message.content


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_backend_is_asked_again_after_the_time_that_it_named(tmp_path: Path, status: int) -> None:
    busy = Json({"error": {"message": "busy"}}, status=status, headers={"Retry-After": "1"})
    async with OpenAiServer() as upstream, in_front_of(upstream, tmp_path) as gateway:
        chats = failing(upstream, busy, busy)
        async with openai.AsyncOpenAI(base_url=gateway.api, api_key="none") as client:
            assert await ask(client) == "".join(upstream.words)

    assert len(chats) == 3


async def test_a_busy_backend_is_told_to_those_who_do_not_try_again(tmp_path: Path) -> None:
    busy = Json({"error": {"message": "busy"}}, status=429, headers={"Retry-After": "7"})
    async with OpenAiServer() as upstream, in_front_of(upstream, tmp_path) as gateway:
        chats = failing(upstream, busy)
        async with openai.AsyncOpenAI(base_url=gateway.api, api_key="none", max_retries=0) as client:
            with pytest.raises(openai.RateLimitError) as raised:
                await ask(client)

    assert raised.value.response.headers["retry-after"] == "7"
    assert len(chats) == 1


async def test_a_backend_that_fails_is_not_asked_again_for_the_same_answer(tmp_path: Path) -> None:
    async with OpenAiServer() as upstream, in_front_of(upstream, tmp_path) as gateway:
        chats = failing(upstream, Json({"error": {"message": "oh no"}}, status=500))
        async with openai.AsyncOpenAI(base_url=gateway.api, api_key="none") as client:
            with pytest.raises(openai.InternalServerError) as raised:
                await ask(client)

    assert raised.value.status_code == 502
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert len(chats) == 1


async def test_without_any_route_the_sdk_comes_back_when_it_is_told_to(tmp_path: Path) -> None:
    quick = {"health": {"failures": 1, "cooldown_seconds": 0.9, "interval_seconds": 0.1}}
    async with OpenAiServer() as upstream, in_front_of(upstream, tmp_path, quick) as gateway:
        chats = failing(upstream, Json({"error": {"message": "oh no"}}, status=500))
        async with openai.AsyncOpenAI(base_url=gateway.api, api_key="none") as client:
            with pytest.raises(openai.InternalServerError):
                await ask(client)
            assert await ask(client) == "".join(upstream.words)

    assert len(chats) == 2


async def test_without_any_route_a_503_says_when_to_come_back(tmp_path: Path) -> None:
    async with OpenAiServer() as upstream, in_front_of(upstream, tmp_path) as gateway:
        upstream.refuse()
        async with openai.AsyncOpenAI(base_url=gateway.api, api_key="none", max_retries=0) as client:
            for _ in range(3):  # as many failures as open the breaker
                with pytest.raises(openai.InternalServerError):
                    await ask(client)
            with pytest.raises(openai.InternalServerError) as raised:
                await ask(client)

    assert (raised.value.status_code, raised.value.code) == (503, "no_route")
    assert 1 <= int(raised.value.response.headers["retry-after"]) <= 60


async def test_with_keys_nobody_comes_in_without_one(tmp_path: Path) -> None:
    keys = [{"name": "ann", "key": KEY, "requests_per_minute": 2, "models": ["auto", "sm*"]}]
    async with OpenAiServer() as upstream, in_front_of(upstream, tmp_path, api_keys=keys) as gateway:
        async with openai.AsyncOpenAI(base_url=gateway.api, api_key="sk-the-wrong-one", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError) as raised:
                await ask(client)
        assert raised.value.code == "invalid_api_key"
        assert gateway.get("/v1/models").status_code == 401
        assert gateway.get("/admin/backends").status_code == 401

        async with openai.AsyncOpenAI(base_url=gateway.api, api_key=KEY, max_retries=0) as client:
            assert await ask(client) == "".join(upstream.words)
            with pytest.raises(openai.PermissionDeniedError):
                await client.chat.completions.create(model="large", messages=[{"role": "user", "content": "Hello"}])
            with pytest.raises(openai.RateLimitError) as limited:
                await ask(client)
        assert 1 <= int(limited.value.response.headers["retry-after"]) <= 60
        await asyncio.to_thread(eventually, lambda: gateway.log, "something is logged")
        assert KEY not in gateway.log
        assert "sk-the-wrong-one" not in gateway.log
