"""What every kind of backend promises of the answers that it gives."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.backend import Capability
from app.domain.errors import BackendError
from app.domain.sse import DONE
from tests.backends.kinds import KINDS_UNDER_TEST, capabilities, events, job, stream, text, ways
from tests.backends.running import running
from tests.fakes.answers import Json, Silence, Stream
from tests.fakes.model_server import ModelServer
from tests.fakes.wire import Request

pytestmark = pytest.mark.anyio

of_every_kind = pytest.mark.parametrize("kind", KINDS_UNDER_TEST)
in_every_way = pytest.mark.parametrize(("kind", "way"), ways())


async def whole(backend: Any, way: Capability, server: ModelServer, **more: Any) -> bytes:
    return b"".join([block async for block in stream(backend, job(way, server.model, **more))])


@in_every_way
async def test_an_answer_says_every_word_and_ends_with_done(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        answer = await whole(backend, way, server)

    assert text(events(answer)) == "".join(server.words)
    assert answer.endswith(DONE)
    assert answer.count(b"[DONE]") == 1


@in_every_way
async def test_each_block_is_made_of_whole_events(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        blocks = [block async for block in stream(backend, job(way, server.model))]

    assert all(block.startswith(b"data: ") and block.endswith(b"\n\n") for block in blocks)


@in_every_way
async def test_exactly_one_event_has_a_finish_reason_and_no_words_follow_it(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        told = events(await whole(backend, way, server))

    choices = [choice for event in told for choice in event["choices"]]
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert choices[-1]["finish_reason"] == "stop"


@in_every_way
async def test_an_answer_cut_at_max_tokens_says_so(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        server.finish_reason = "length"
        told = events(await whole(backend, way, server, max_tokens=5))

    assert [choice["finish_reason"] for event in told for choice in event["choices"]][-1] == "length"


@in_every_way
async def test_the_usage_comes_last_in_an_event_without_choices(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        told = events(await whole(backend, way, server))

    assert [event["choices"] for event in told].count([]) == 1
    assert told[-1]["choices"] == []
    usage = told[-1]["usage"]
    assert usage["completion_tokens"] == 5
    assert usage["prompt_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@in_every_way
async def test_all_events_share_one_id_one_time_and_one_model(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        told = events(await whole(backend, way, server))

    shapes = {Capability.CHAT: "chat.completion.chunk", Capability.COMPLETE: "text_completion"}
    assert {event["object"] for event in told} == {shapes[way]}
    assert {event["model"] for event in told} == {server.model}
    assert len({event["id"] for event in told}) == 1
    assert len({event["created"] for event in told}) == 1


@of_every_kind
async def test_the_first_event_of_a_chat_and_no_other_has_the_role(kind: str) -> None:
    async with running(kind) as (server, backend):
        told = events(await whole(backend, Capability.CHAT, server))

    deltas = [choice["delta"] for event in told for choice in event["choices"]]
    assert deltas[0]["role"] == "assistant"
    assert not any("role" in delta for delta in deltas[1:])


@in_every_way
async def test_the_first_words_come_before_the_rest_is_there(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        rest = asyncio.Event()
        server.script = lambda request: _held(server, request, rest)
        async with aclosing(stream(backend, job(way, server.model))) as blocks:
            began = b""
            while server.words[0] not in text(events(began)):
                began += await anext(blocks)
            rest.set()
            answer = began + b"".join([block async for block in blocks])

    assert text(events(answer)) == "".join(server.words)


@in_every_way
async def test_a_caller_that_leaves_stops_the_server(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        server.script = lambda request: _held(server, request, asyncio.Event())
        blocks = stream(backend, job(way, server.model))
        await anext(blocks)
        await blocks.aclose()

        async with asyncio.timeout(5):
            await server.client_left.wait()


@in_every_way
async def test_a_caller_that_leaves_before_the_first_word_stops_the_server(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        server.script = lambda _: Silence()
        waiting = asyncio.ensure_future(whole(backend, way, server))
        await server.asked(1)
        waiting.cancel()

        async with asyncio.timeout(5):
            await server.client_left.wait()
        with pytest.raises(asyncio.CancelledError):
            await waiting


@in_every_way
@settings(max_examples=12)
@given(data=st.data())
async def test_it_does_not_matter_where_the_network_cuts_the_bytes(
    kind: str, way: Capability, data: st.DataObject
) -> None:
    async with running(kind) as (server, backend):

        def cut(request: Request) -> Stream:
            content = b"".join(server.pieces(request))
            places = data.draw(st.sets(st.integers(1, len(content) - 1), max_size=12))
            bounds = [0, *sorted(places), len(content)]
            pieces = [content[start:end] for start, end in itertools.pairwise(bounds)]
            return Stream(pieces, server.stream_type, apart=True)

        usual = events(await whole(backend, way, server))
        server.script = cut
        told = events(await whole(backend, way, server))

    assert [_without_head(event) for event in told] == [_without_head(event) for event in usual]


@in_every_way
async def test_several_jobs_run_at_once_and_connections_are_used_again(kind: str, way: Capability) -> None:
    async with running(kind) as (server, backend):
        rest, jobs = asyncio.Event(), 6
        server.script = lambda request: _held(server, request, rest)
        running_jobs = [asyncio.ensure_future(whole(backend, way, server)) for _ in range(jobs)]
        await server.asked(jobs)
        rest.set()
        answers = await asyncio.gather(*running_jobs)
        server.script = None
        for _ in range(jobs):
            answers.append(await whole(backend, way, server))

    assert [text(events(answer)) for answer in answers] == ["".join(server.words)] * (2 * jobs)
    assert server.connections == jobs


@of_every_kind
async def test_a_probe_lists_the_models(kind: str) -> None:
    async with running(kind) as (server, backend):
        models = await backend.probe()

    assert [model.name for model in models] == [server.model]


@of_every_kind
async def test_a_probe_of_a_dead_server_fails(kind: str) -> None:
    async with running(kind) as (server, backend):
        server.refuse()
        with pytest.raises(BackendError):
            await backend.probe()


@of_every_kind
@pytest.mark.parametrize("answer", [Json({}, 500), Json([1]), Json(b"<html>", content_type="text/html"), Json("?")])
async def test_a_probe_of_a_server_that_talks_nonsense_fails(kind: str, answer: Json) -> None:
    async with running(kind) as (server, backend):
        server.script = lambda _: answer
        with pytest.raises(BackendError):
            await backend.probe()


@pytest.mark.parametrize("kind", [kind for kind in KINDS_UNDER_TEST if Capability.EMBED in capabilities(kind)])
async def test_embeddings_are_lists_of_numbers_in_order(kind: str) -> None:
    async with running(kind) as (server, backend):
        answer = await backend.embed(job(Capability.EMBED, server.model))

    assert answer["object"] == "list"
    assert [item["index"] for item in answer["data"]] == [0, 1]
    assert [item["embedding"] for item in answer["data"]] == [[0.5, -0.25]] * 2
    assert answer["usage"]["prompt_tokens"] > 0


def _held(server: ModelServer, request: Request, rest: asyncio.Event) -> Stream:
    """The server's answer, with everything after the first word held back."""
    pieces = server.pieces(request)
    said = next(index for index, piece in enumerate(pieces) if server.words[0].encode() in piece) + 1
    return Stream([*pieces[:said], rest, *pieces[said:]], server.stream_type)


def _without_head(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("id", "created")}
