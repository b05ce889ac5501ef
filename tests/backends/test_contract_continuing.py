"""What every kind promises that goes on with an answer: the client ends up with the whole of it, to the letter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.backend import Capability
from app.domain.errors import JobRejectedError
from app.domain.handoff import Begun, Continuation
from app.domain.sse import DONE
from backends.base import Continues, Warms
from tests.backends.kinds import events, job, text
from tests.backends.running import running
from tests.fakes.model_server import ModelServer

pytestmark = pytest.mark.anyio

#: More than the sixteen tokens that some servers stop after, with white space wherever it may be.
WORDS = (
    *("Grüße", " aus", " 日本", "\n\n", " - ", "🙂", "!", " \n", "    ", "Now", " \t", "a", " ", "line", ".", "\n"),
    *("The", " end", " of", " it", '"', "\n"),
)
WHOLE = "".join(WORDS)
PLACES = [len("".join(WORDS[:count])) for count in range(len(WORDS))]

#: The settings with which each kind goes on, and each way in which it does.
CONTINUING: dict[str, dict[str, Any]] = {"anthropic": {"prefill": True}, "ollama": {}, "openai": {}}
WAYS = [("anthropic", "prefill"), ("ollama", "prefill"), ("openai", "prefill"), ("openai", "replay")]
_METHODS = {Continuation.TOKENS: "replay", Continuation.PREFILL: "prefill"}

of_every_kind = pytest.mark.parametrize("kind", CONTINUING)
in_every_way = pytest.mark.parametrize(("kind", "method"), WAYS)


@asynccontextmanager
async def continuing(kind: str, **more: Any) -> AsyncIterator[tuple[ModelServer, Any]]:
    """A backend that was probed, and its server, which has not been asked anything since."""
    async with running(kind, **{**CONTINUING[kind], **more}) as (server, backend):
        server.words = WORDS
        await backend.probe()
        server.requests.clear()
        yield server, backend


async def further(backend: Any, server: ModelServer, method: str, begun: Begun, **more: Any) -> bytes:
    asked = job(Capability.CHAT, server.model, **more)
    return b"".join([block async for block in getattr(backend, method)(asked, begun)])


@of_every_kind
async def test_it_declares_how_it_can_be_gone_on_at(kind: str) -> None:
    async with continuing(kind) as (_, backend):
        assert isinstance(backend, Continues)
        declared = {(kind, _METHODS[continuation]) for continuation in backend.continuations}
        assert declared == {way for way in WAYS if way[0] == kind}
        assert backend.keeps_constraints == frozenset()


@in_every_way
async def test_a_cut_after_every_piece_makes_the_same_whole(kind: str, method: str) -> None:
    async with continuing(kind) as (server, backend):
        for place in PLACES[1:]:
            answer = await further(backend, server, method, Begun(WHOLE[:place]))
            assert WHOLE[:place] + text(events(answer)) == WHOLE
            assert answer.endswith(DONE)


@in_every_way
@settings(max_examples=40)
@given(place=st.integers(1, len(WHOLE)))
async def test_a_cut_anywhere_makes_the_same_whole(kind: str, method: str, place: int) -> None:
    async with continuing(kind) as (server, backend):
        assert WHOLE[:place] + text(events(await further(backend, server, method, Begun(WHOLE[:place])))) == WHOLE


@in_every_way
async def test_the_events_are_those_of_a_chat_that_ends_once(kind: str, method: str) -> None:
    async with continuing(kind) as (server, backend):
        told = events(await further(backend, server, method, Begun(WHOLE[: PLACES[3]])))

    choices = [choice for event in told for choice in event["choices"]]
    assert {event["object"] for event in told} == {"chat.completion.chunk"}
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert all("role" not in choice["delta"] for choice in choices[1:])
    assert told[-1]["choices"] == []


@pytest.mark.parametrize(("kind", "method"), [way for way in WAYS if way[0] != "anthropic"])  # its fake counts nothing
async def test_the_usage_counts_what_it_wrote_itself(kind: str, method: str) -> None:
    async with continuing(kind) as (server, backend):
        told = events(await further(backend, server, method, Begun(WHOLE[: PLACES[3]])))

    assert told[-1]["usage"]["completion_tokens"] == len(WORDS) - 3


@in_every_way
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_what_is_left_of_the_limit_holds(kind: str, method: str, limit: str) -> None:
    async with continuing(kind) as (server, backend):
        answer = await further(backend, server, method, Begun(WHOLE[: PLACES[6]]), **{limit: 2})

    assert text(events(answer)) == "".join(WORDS[6:8])


@of_every_kind
async def test_without_a_word_written_it_is_an_ordinary_chat(kind: str) -> None:
    async with continuing(kind) as (server, backend):
        assert text(events(await further(backend, server, "prefill", Begun("")))) == WHOLE
        async for _ in backend.chat(job(Capability.CHAT, server.model)):
            """Only the request counts."""

    first, second = server.requests
    assert first.body == second.body


@of_every_kind
async def test_the_middle_of_a_thought_is_refused_without_asking_the_server(kind: str) -> None:
    async with continuing(kind) as (server, backend):
        with pytest.raises(JobRejectedError, match="thought"):
            await further(backend, server, "prefill", Begun("", reasoning="Hm, "))

    assert server.requests == []


@of_every_kind
async def test_what_the_caller_had_the_assistant_begin_with_stays_before_the_text(kind: str) -> None:
    asked = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": WHOLE[:9]}]
    async with continuing(kind) as (server, backend):
        server.words = (WHOLE[9:],) if kind == "ollama" else WORDS  # its template closes the caller's turn
        answer = await further(backend, server, "prefill", Begun(WHOLE[9:20]), messages=asked)

    assert text(events(answer)) == WHOLE[20:]


@pytest.mark.parametrize("kind", ["ollama", "openai"])
async def test_warming_reads_all_of_it_and_writes_one_token(kind: str) -> None:
    async with continuing(kind) as (server, backend):
        assert isinstance(backend, Warms)
        await backend.warm(job(Capability.CHAT, server.model, max_completion_tokens=500), Begun(WHOLE[:20]))
        warmed = server.requests[-1].body
        await further(backend, server, "prefill", Begun(WHOLE[:20]))
        read = server.requests[-1].body

    what = ("prompt",) if kind == "ollama" else ("messages", "continue_final_message")
    assert [warmed[name] for name in what] == [read[name] for name in what]
    limits = warmed["options"]["num_predict"] if kind == "ollama" else warmed["max_tokens"]
    assert limits == 1
    assert warmed.get("max_completion_tokens") is None


async def test_the_cloud_is_not_warmed() -> None:
    async with continuing("anthropic") as (_, backend):
        assert not isinstance(backend, Warms)
