"""A prompt either fits the context that Ollama is asked for, or is refused: it is never cut."""

from __future__ import annotations

import pytest

from app.domain.backend import Capability
from app.domain.errors import JobRejectedError, StreamBrokenError
from tests.backends.ollama import BOTH, ollama, told
from tests.fakes.answers import Answer, Json
from tests.fakes.wire import Request

pytestmark = pytest.mark.anyio

TOO_LONG = Json({"error": "the input length exceeds the context length"}, 400)


async def test_the_context_follows_the_need_up_to_what_the_model_has() -> None:
    async with ollama() as (server, backend):
        await backend.probe()
        for size in (10, 5_000, 30_000):
            await told(backend, messages=[{"role": "user", "content": "x" * size}], max_tokens=100)

    asked = [request.body["options"]["num_ctx"] for request in server.requests if request.path == "/api/chat"]
    assert asked == [2048, 4096, 8192]


async def test_the_callers_own_context_is_kept_within_what_the_model_has() -> None:
    async with ollama() as (server, backend):
        await backend.probe()
        await told(backend, num_ctx=3000)
        await told(backend, options={"num_ctx": 99_999})

    asked = [request.body["options"]["num_ctx"] for request in server.requests if request.path == "/api/chat"]
    assert asked == [3000, 8192]


@pytest.mark.parametrize("way", BOTH)
async def test_a_prompt_that_can_not_fit_is_refused_before_the_server_is_asked(way: Capability) -> None:
    long = "x" * 200_000
    async with ollama() as (server, backend):
        await backend.probe()
        with pytest.raises(JobRejectedError) as caught:
            await told(backend, way, messages=[{"role": "user", "content": long}], prompt=long)

    assert (caught.value.status, caught.value.code) == (400, "context_length_exceeded")
    assert [request.path for request in server.requests] == ["/api/tags", "/api/show"]


async def test_a_text_of_unusually_many_tokens_gets_twice_the_context() -> None:
    async with ollama() as (server, backend):

        def fits(request: Request) -> Answer:
            return server.answer(request) if request.body["options"]["num_ctx"] > 4096 else TOO_LONG

        server.script = fits
        assert (await told(backend))[-1]["usage"]

    assert [request.body["options"]["num_ctx"] for request in server.requests] == [4096, 8192]


async def test_a_prompt_that_does_not_fit_after_all_is_refused() -> None:
    async with ollama(max_context=4096) as (server, backend):
        server.script = lambda _: TOO_LONG
        with pytest.raises(JobRejectedError) as caught:
            await told(backend)

    assert caught.value.code == "context_length_exceeded"
    assert len(server.requests) == 1


async def test_an_old_version_that_cut_the_prompt_in_silence_is_found_out() -> None:
    async with ollama() as (server, backend):
        server.prompt_tokens = 4096
        with pytest.raises(StreamBrokenError, match="cut the prompt"):
            await told(backend)
