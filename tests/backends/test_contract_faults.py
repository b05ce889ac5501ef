"""What every kind of backend promises when its server fails: the right error, in time, and no secret in it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.backend import Capability
from app.domain.errors import (
    BackendBusyError,
    BackendError,
    BackendRefusedError,
    BackendTimeoutError,
    JobRejectedError,
    StreamBrokenError,
)
from tests.backends.kinds import KEY, KINDS_UNDER_TEST, build, capabilities, job, stream, ways
from tests.backends.running import running
from tests.fakes.answers import CLOSE, RESET, Answer, Cut, Json, Raw, Stream
from tests.fakes.full_server import FullServer
from tests.fakes.model_server import ModelServer

pytestmark = pytest.mark.anyio

in_every_way = pytest.mark.parametrize(("kind", "way"), ways())

#: Answers that are none, and the error that tells what to make of them.
REFUSALS: dict[str, tuple[Answer, type[BackendError]]] = {
    "reset": (RESET, BackendRefusedError),
    "closed": (CLOSE, BackendRefusedError),
    "reset after the head": (Stream([RESET]), BackendRefusedError),
    "closed after the head": (Stream([CLOSE]), BackendRefusedError),
    "nothing after the head": (Stream([]), BackendRefusedError),
    "half a head": (Raw([b"HTTP/1.1 200 OK\r\nContent-"]), BackendRefusedError),
    "no HTTP": (Raw([b"220 smtp.example.com ESMTP\r\n"]), BackendRefusedError),
    "another protocol": (Raw([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"]), BackendRefusedError),
    "not found": (Json({"error": "no"}, 404), BackendRefusedError),
    "elsewhere": (Json({}, 302, {"Location": "http://example.com/"}), BackendRefusedError),
    "an error": (Json({"error": {"message": "out of memory"}}, 500), BackendRefusedError),
    "an error that is no JSON": (Json(b"<html>Bad Gateway</html>", 502, content_type="text/html"), BackendRefusedError),
    "too many": (Json({"error": "slow down"}, 429, {"Retry-After": "7"}), BackendBusyError),
    "loading": (Json({"error": "loading model"}, 503), BackendBusyError),
    "JSON that is no answer": (Json({"status": "ok"}), BackendRefusedError),
    "JSON that is no object": (Json([]), BackendRefusedError),
    "an empty body": (Json(b""), BackendRefusedError),
}


async def read(backend: Any, way: Capability, server: ModelServer | None = None) -> tuple[list[bytes], BackendError]:
    """The blocks that came, and the error that ended them."""
    blocks: list[bytes] = []
    answer = stream(backend, job(way, server.model if server else "small"))
    try:
        while True:
            blocks.append(await anext(answer))
    except BackendError as error:
        return blocks, error


@in_every_way
@pytest.mark.parametrize("fault", REFUSALS)
async def test_it_refuses_before_the_first_event(kind: str, way: Capability, fault: str) -> None:
    answer, expected = REFUSALS[fault]
    async with running(kind) as (server, backend):
        server.script = lambda _: answer
        blocks, error = await read(backend, way, server)

    assert blocks == []
    assert type(error) is expected
    assert error.backend == "box"


@in_every_way
async def test_it_refuses_when_nobody_listens_and_does_not_say_where(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        server.refuse()
        blocks, error = await read(backend, way, server)

    assert blocks == []
    assert type(error) is BackendRefusedError
    assert "127.0.0.1" not in error.message


@in_every_way
async def test_a_server_that_takes_nobody_is_given_up_in_time(kind: str, way: Capability) -> None:
    with FullServer() as server:
        backend = build(kind, server.url, timeouts={"connect": 0.05})
        await backend.start()
        blocks, error = await read(backend, way)
        await backend.stop()

    assert blocks == []
    assert type(error) is BackendTimeoutError


@in_every_way
async def test_a_busy_server_says_when_to_come_back(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        server.script = lambda _: Json({"error": "slow down"}, 429, {"Retry-After": "7"})
        _, error = await read(backend, way, server)

    assert isinstance(error, BackendBusyError)
    assert error.retry_after_seconds == 7


@in_every_way
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_fault_of_the_job_is_told_in_the_servers_words(kind: str, way: Capability, status: int) -> None:
    async with running(kind) as (server, backend):
        server.script = lambda _: Json(server.error("The temperature is too high."), status)
        blocks, error = await read(backend, way, server)

    assert blocks == []
    assert isinstance(error, JobRejectedError)
    assert (error.status, error.detail) == (status, "The temperature is too high.")


@in_every_way
async def test_a_file_path_of_the_server_is_not_told(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        server.script = lambda _: Json(server.error("can't open:/srv/models/secret.gguf (error 2)\nat line 7"), 400)
        _, error = await read(backend, way, server)

    assert isinstance(error, JobRejectedError)
    assert error.detail == "can't open:[path] (error 2)"


@in_every_way
@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_not_accepted_is_not_told(kind: str, way: Capability, status: int) -> None:
    async with running(kind) as (server, backend):
        server.script = lambda _: Json(server.error(f"Incorrect API key provided: {KEY}"), status)
        blocks, error = await read(backend, way, server)

    assert blocks == []
    assert not isinstance(error, JobRejectedError)
    assert KEY not in error.message


@pytest.mark.parametrize("kind", [kind for kind, each in KINDS_UNDER_TEST.items() if "api_key" in each.settings])
async def test_the_key_is_shown_to_a_server_that_wants_it(kind: str) -> None:
    async with running(kind) as (server, backend):
        server.api_key = KEY
        assert await backend.probe()
        assert [block async for block in stream(backend, job(Capability.CHAT, server.model))]


@in_every_way
@pytest.mark.parametrize("cut", Cut)
async def test_an_answer_cut_short_is_broken_once_it_began_and_refused_before(
    kind: str, way: Capability, cut: Cut
) -> None:
    async with running(kind) as (server, backend):
        began = False
        for count in range(len(server.words) + 1):
            server.script = lambda request, count=count: Stream(
                [*server.pieces(request)[:count], cut], server.stream_type, apart=True
            )
            blocks, error = await read(backend, way, server)
            assert type(error) is (StreamBrokenError if blocks else BackendRefusedError), count
            assert blocks or not began, count
            began = bool(blocks)
        assert began


@in_every_way
async def test_an_event_cut_in_the_middle_is_an_error_though_the_message_ends_well(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        server.script = lambda request: Stream(_half(server.pieces(request)), server.stream_type, apart=True)
        blocks, error = await read(backend, way, server)

    assert blocks
    assert type(error) is StreamBrokenError


@pytest.mark.parametrize("kind", KINDS_UNDER_TEST)
@settings(max_examples=40)
@given(garbage=st.binary(max_size=60), framed=st.booleans())
async def test_garbage_ends_in_the_documented_errors_and_never_hangs(kind: str, garbage: bytes, framed: bool) -> None:
    async with running(kind) as (server, backend):
        server.script = lambda _: Stream([garbage] if garbage else [], server.stream_type) if framed else Raw([garbage])
        async with asyncio.timeout(5):
            for way in capabilities(kind) & {Capability.CHAT, Capability.COMPLETE}:
                with contextlib.suppress(BackendError):
                    # events that are no JSON may go through: whoever reads them finds out
                    assert [block async for block in stream(backend, job(way, server.model))]


@pytest.mark.parametrize("kind", [kind for kind in KINDS_UNDER_TEST if Capability.EMBED in capabilities(kind)])
@pytest.mark.parametrize("fault", REFUSALS)
async def test_embeddings_are_refused_in_the_same_way(kind: str, fault: str) -> None:
    answer, expected = REFUSALS[fault]
    async with running(kind) as (server, backend):
        server.script = lambda _: answer
        with pytest.raises(expected):
            await backend.embed(job(Capability.EMBED, server.model))


def _half(pieces: list[bytes]) -> list[bytes]:
    return [*pieces[:-2], pieces[-2][:-9]]
