"""The openai kind: everything goes through as it came."""

from __future__ import annotations

import pytest

from app.domain.backend import Capability, ServedModel
from app.domain.errors import BackendRefusedError
from app.domain.parameters import OFFICIAL
from tests.backends.kinds import job, stream
from tests.backends.running import running
from tests.fakes.answers import Json, Stream

pytestmark = pytest.mark.anyio


async def test_a_job_goes_out_as_it_came_but_for_the_wish_for_a_stream_with_usage() -> None:
    asked = job(Capability.CHAT, top_k=3, stream=False, stream_options={"include_obfuscation": False})
    async with running("openai") as (server, backend):
        assert [block async for block in stream(backend, asked)]

    options = {"include_obfuscation": False, "include_usage": True}
    assert server.requests[0].path == "/v1/chat/completions"
    assert server.requests[0].body == {**asked.body, "stream": True, "stream_options": options}


async def test_events_come_out_as_the_very_bytes_that_came() -> None:
    wire = b'data: {"id": "x",  "reasoning": "Hm",\t"mine": 1}\n\ndata: [DONE]\n\n'
    async with running("openai") as (server, backend):
        server.script = lambda _: Stream([wire])
        assert b"".join([block async for block in stream(backend, job(Capability.CHAT))]) == wire


async def test_it_honours_all_of_the_official_api_and_passes_on_the_rest() -> None:
    async with running("openai") as (_, backend):
        assert backend.profile.honours == OFFICIAL
        assert backend.profile.passes_extras


@pytest.mark.parametrize(
    ("told", "context"),
    [
        ({"max_model_len": 8192}, 8192),
        ({"meta": {"n_ctx": 4096}}, 4096),
        ({"max_context_length": 2048}, 2048),
        ({"max_model_len": "many"}, None),
        ({"meta": None}, None),
        ({}, None),
    ],
)
async def test_the_context_is_found_under_every_servers_name(told: dict[str, object], context: int | None) -> None:
    async with running("openai") as (server, backend):
        server.script = lambda _: Json({"data": [{"id": "a", "created": 5, **told}, {"no": "id"}, "nothing"]})
        assert await backend.probe() == (ServedModel("a", context, created=5),)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_server_that_has_no_list_of_models_is_well(status: int) -> None:
    async with running("openai") as (server, backend):
        server.script = lambda _: Json({}, status)
        assert await backend.probe() == ()


async def test_embeddings_are_asked_for_as_numbers() -> None:
    async with running("openai") as (server, backend):
        await backend.embed(job(Capability.EMBED, encoding_format="base64", dimensions=2))

    assert server.requests[0].body["encoding_format"] == "float"
    assert server.requests[0].body["dimensions"] == 2


async def test_an_answer_without_embeddings_is_a_refusal() -> None:
    async with running("openai") as (server, backend):
        server.script = lambda _: Json({"object": "list"})
        with pytest.raises(BackendRefusedError):
            await backend.embed(job(Capability.EMBED))
