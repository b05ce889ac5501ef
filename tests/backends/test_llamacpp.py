"""What the llamacpp kind mends in llama.cpp's answers; `tests/live` has the real program."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.domain.backend import Capability
from app.domain.errors import BackendRefusedError, JobRejectedError, StreamBrokenError
from app.domain.job import Job
from app.domain.sse import DONE
from backends.base import Paces, Resources
from backends.llamacpp import LlamaCpp
from backends.llamacpp_settings import LlamaCppSettings
from tests.backends.kinds import build, events, job, stream
from tests.backends.local_models import local_model
from tests.backends.running import running
from tests.fakes.answers import Json, Script, Stream
from tests.fakes.model_server import ModelServer
from tests.fakes.openai_server import event

pytestmark = pytest.mark.anyio


async def told(way: Capability, **more: Any) -> list[dict[str, Any]]:
    async with running("llamacpp") as (_, backend):
        return events(b"".join([block async for block in stream(backend, job(way, **more))]))


def choices(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice for each in told for choice in each["choices"]]


async def test_every_event_has_the_time_of_the_first() -> None:
    assert len({each["created"] for each in await told(Capability.CHAT)}) == 1


async def test_events_that_come_together_have_one_time_too() -> None:
    wire = event({"created": 1, "choices": []}) + event({"created": 2, "choices": []}) + DONE
    async with running("llamacpp") as (server, backend):
        server.script = lambda _: Stream([wire, wire])
        blocks = b"".join([block async for block in stream(backend, job(Capability.CHAT))])

    assert blocks.count(b'"created":1') == 4


async def test_words_about_a_time_are_left_alone() -> None:
    async with running("llamacpp") as (server, backend):
        server.words = ('{"created":5}',)
        blocks = b"".join([block async for block in stream(backend, job(Capability.CHAT))])

    assert rb"{\"created\":5}" in blocks


async def test_the_logprobs_of_a_chat_are_whole() -> None:
    found = [choice["logprobs"] for choice in choices(await told(Capability.CHAT, logprobs=True)) if choice["logprobs"]]

    assert len(found) == 5
    assert all(set(each) == {"content", "refusal"} for each in found)


async def test_the_logprobs_of_a_completion_have_the_old_shape_and_count_characters() -> None:
    said = [choice for choice in choices(await told(Capability.COMPLETE, logprobs=1)) if choice.get("logprobs")]

    assert [choice["logprobs"]["tokens"] for choice in said] == [["Grüße"], [" aus"], [" 日本"], [" 🙂"], ["!"]]
    assert [choice["logprobs"]["text_offset"] for choice in said] == [[0], [5], [9], [12], [14]]
    assert said[0]["logprobs"]["token_logprobs"] == [-0.25]
    assert said[0]["logprobs"]["top_logprobs"] == [{"Grüße": -0.25}]


async def test_text_without_logprobs_counts_for_the_offsets_too() -> None:
    entry = {"token": "c", "logprob": -1.0, "top_logprobs": []}
    wire = [
        event({"choices": [{"text": "ab"}]}),
        event({"choices": [{"text": "c", "logprobs": {"content": [entry]}}]}),
        DONE,
    ]
    async with running("llamacpp") as (server, backend):
        server.script = lambda _: Stream(wire, apart=True)
        blocks = [block async for block in stream(backend, job(Capability.COMPLETE, logprobs=1))]

    assert choices(events(b"".join(blocks)))[1]["logprobs"]["text_offset"] == [2]


async def test_usage_that_comes_alone_is_not_doubled() -> None:
    wire = event({"choices": [], "usage": {"total_tokens": 3}}) + DONE
    async with running("llamacpp") as (server, backend):
        server.script = lambda _: Stream([wire])
        blocks = b"".join([block async for block in stream(backend, job(Capability.COMPLETE))])

    assert events(blocks) == [{"choices": [], "usage": {"total_tokens": 3}}]


@pytest.mark.parametrize("data", [b'{"usage":{', b'["usage":{}]', b'[{"usage":{}}]'])
async def test_a_completion_event_that_is_none_is_a_broken_stream(data: bytes) -> None:
    async with running("llamacpp") as (server, backend):
        server.script = lambda _: Stream([b"data: " + data + b"\n\n"])
        with pytest.raises(StreamBrokenError):
            assert [block async for block in stream(backend, job(Capability.COMPLETE))]


async def test_logit_bias_goes_out_as_pairs() -> None:
    async with running("llamacpp") as (server, backend):
        assert [block async for block in stream(backend, job(Capability.CHAT, logit_bias={"15": -100}))]

    assert server.requests[0].body["logit_bias"] == [[15, -100]]


async def test_logit_bias_for_what_is_no_token_is_the_callers_fault() -> None:
    async with running("llamacpp") as (server, backend):
        with pytest.raises(JobRejectedError) as caught:
            await anext(stream(backend, job(Capability.CHAT, logit_bias={"hello": 1})))

    assert caught.value.param == "logit_bias"
    assert server.requests == []


async def test_a_job_before_the_start_is_refused_at_its_first_step() -> None:
    answer = stream(build("llamacpp", "http://localhost"), job(Capability.CHAT))

    with pytest.raises(BackendRefusedError, match="not started"):
        await anext(answer)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"model": "a", "url": "http://localhost"},
        {"url": "http://box", "threads": 2},
        {"model": "a", "slot_directory": "/slots"},
    ],
)
def test_it_runs_a_server_or_uses_one_but_not_both(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LlamaCppSettings.model_validate({"id": "box", "kind": "llamacpp", **given})


@pytest.mark.parametrize(("given", "paceable"), [({"model": "a"}, True), ({"url": "http://localhost"}, False)])
def test_only_a_server_that_it_runs_itself_can_be_slowed(given: dict[str, Any], paceable: bool) -> None:
    settings = LlamaCppSettings.model_validate({"id": "box", "kind": "llamacpp", **given})

    backend = LlamaCpp(settings, Resources(find_model=Path, scratch=Path()))

    assert isinstance(backend, Paces)
    assert backend.paceable is paceable


@dataclass(frozen=True)
class Measured:
    """How fast an answer was written, and how many probes were answered meanwhile."""

    tokens_per_second: float
    probes: int


async def measured(backend: LlamaCpp) -> Measured:
    """Of an answer of 120 tokens."""
    long = {"messages": [{"role": "user", "content": "Tell a story."}], "max_tokens": 120, "ignore_eos": True}
    times: list[float] = []
    probes = 0

    async def probe() -> None:
        nonlocal probes
        while True:
            async with asyncio.timeout(5):
                await backend.probe()
            probes += 1
            await asyncio.sleep(0.05)

    probing = asyncio.create_task(probe())
    async for _ in backend.chat(Job("request", Capability.CHAT, "smol", {"model": "smol", **long})):
        times.append(time.monotonic())
        if probing.done():
            probing.result()
    probing.cancel()
    return Measured((len(times) - 1) / (times[-1] - times[0]), probes)


@pytest.mark.live
async def test_a_real_server_that_works_half_of_the_time_writes_half_as_fast_and_answers_probes(tmp_path: Path) -> None:
    told = {"id": "box", "kind": "llamacpp", "model": "smol", "threads": 1, "max_context": 512}
    find = Resources(find_model=lambda _: local_model("smollm2-135m"), scratch=tmp_path)
    backend = LlamaCpp(LlamaCppSettings.model_validate(told), find)
    await backend.start()
    try:
        async with asyncio.timeout(60):
            while True:
                with suppress(BackendRefusedError):
                    await backend.probe()
                    break
                await asyncio.sleep(0.02)  # nothing but the program itself tells when it is ready
        free = await measured(backend)
        backend.pace(0.5)
        slowed = await measured(backend)
        backend.pace(1)
        free_again = await measured(backend)
    finally:
        await backend.stop()

    usual = (free.tokens_per_second + free_again.tokens_per_second) / 2
    assert slowed.tokens_per_second / usual == pytest.approx(0.5, abs=0.2)
    assert slowed.probes > 2


def test_a_backend_for_embeddings_does_nothing_else() -> None:
    settings = LlamaCppSettings.model_validate({"id": "box", "kind": "llamacpp", "model": "a", "embeddings": True})

    profile = LlamaCpp(settings, Resources(find_model=Path, scratch=Path())).profile
    assert set(profile.honours) == {Capability.EMBED}
    assert settings.model_needed() == "a"


PROPS: dict[str, Any] = {"modalities": {"vision": False}, "chat_template_caps": {"supports_tools": False}}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "get_weather"}}


def describing_itself(server: ModelServer, props: Any) -> Script:
    return lambda request: Json(props) if request.path == "/props" else server.answer(request)


async def test_a_model_is_known_to_see_nothing_when_its_server_says_so() -> None:
    async with running("llamacpp") as (server, backend):
        server.script = describing_itself(server, PROPS)
        (model,) = await backend.probe()

    assert model.sees is False


async def test_a_server_that_does_not_describe_itself_is_trusted_with_tools() -> None:
    async with running("llamacpp") as (server, backend):
        (model,) = await backend.probe()
        told = job(Capability.CHAT, tools=[TOOL])
        [block async for block in backend.chat(told)]

    assert model.sees is None
    assert server.requests[-1].body["tools"] == [TOOL]


async def test_a_server_is_asked_only_once_what_it_can() -> None:
    async with running("llamacpp") as (server, backend):
        server.script = describing_itself(server, PROPS)
        await backend.probe()
        await backend.probe()

    assert [request.path for request in server.requests].count("/props") == 1


async def test_a_template_without_tools_is_told_of_them_in_words_and_its_call_is_read() -> None:
    async with running("llamacpp") as (server, backend):
        server.words = ('{"name": "get_weather", ', '"arguments": {}}')
        server.script = describing_itself(server, PROPS)
        told = job(Capability.CHAT, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "get_weather"}})
        found = choices(events(b"".join([block async for block in backend.chat(told)])))

    assert "tools" not in server.requests[-1].body
    assert [choice["finish_reason"] for choice in found][-1] == "tool_calls"
    assert any(choice["delta"].get("tool_calls") for choice in found)


async def test_a_tool_that_is_no_function_is_the_callers_fault() -> None:
    async with running("llamacpp") as (_, backend):
        blocks = backend.chat(job(Capability.CHAT, tools=[{"type": "custom", "custom": {"name": "x"}}]))
        with pytest.raises(JobRejectedError) as raised:
            await anext(blocks)

    assert raised.value.param == "tools"
