"""What both pipelines promise, with a stand-in library and with the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.domain.backend import Capability
from app.domain.errors import JobRejectedError
from backends.openvino import OpenVino
from tests.backends.openvino.running import STORY, job, logprobs, tell

pytestmark = pytest.mark.anyio


async def test_one_engine_keeps_all_promises(model: Path, batching: bool, start: Callable[..., Any]) -> None:
    """One test for all, because a real engine takes seconds to start; each promise is a function below."""
    backend = await start(model, batching=batching, max_context=2048)
    await lists_its_model(backend)
    await chats_in_the_official_shape(backend)
    await completes_in_the_official_shape(backend)
    await ends_with_length_at_the_limit(backend)
    await stops_before_a_stop_string(backend)
    await repeats_itself_with_the_same_seed(backend)
    await answers_several_at_once(backend)
    await refuses_a_prompt_that_is_too_long(backend)
    await goes_on_with_an_answer_that_was_begun(backend)
    await refuses_a_schema_that_it_cannot_enforce(backend)


async def lists_its_model(backend: OpenVino) -> None:
    (served,) = await backend.probe()
    assert (served.name, served.context) == ("smol", 2048)
    assert served.capabilities == frozenset([Capability.CHAT, Capability.COMPLETE])


async def chats_in_the_official_shape(backend: OpenVino) -> None:
    told = await tell(backend, job(messages=STORY, max_tokens=8))
    assert told.events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert sum("role" in choice["delta"] for choice in told.choices) == 1
    assert len(told.finish) == 1
    assert {event["object"] for event in told.events} == {"chat.completion.chunk"}
    assert len({(event["id"], event["created"], event["model"]) for event in told.events}) == 1
    assert told.events[-1]["choices"] == []
    assert told.usage["completion_tokens"] == 8
    assert told.usage["total_tokens"] == 8 + told.usage["prompt_tokens"]
    assert told.done == b"[DONE]"


async def completes_in_the_official_shape(backend: OpenVino) -> None:
    told = await tell(backend, job(Capability.COMPLETE, prompt="Once upon a time", max_tokens=5))
    assert {event["object"] for event in told.events} == {"text_completion"}
    assert told.text
    assert told.finish == ["length"]
    assert told.done == b"[DONE]"


async def ends_with_length_at_the_limit(backend: OpenVino) -> None:
    told = await tell(backend, job(messages=STORY, max_completion_tokens=4))
    assert told.finish == ["length"]
    assert told.usage["completion_tokens"] == 4


async def stops_before_a_stop_string(backend: OpenVino) -> None:
    whole = await tell(backend, job(messages=STORY, max_tokens=12))
    cut = whole.text[4:9]
    told = await tell(backend, job(messages=STORY, max_tokens=12, stop=[cut]))
    assert told.text == whole.text[: whole.text.index(cut)]
    assert told.finish == ["stop"]


async def repeats_itself_with_the_same_seed(backend: OpenVino) -> None:
    wanted = job(messages=STORY, max_tokens=12, temperature=1, seed=2**70)
    assert (await tell(backend, wanted)).text == (await tell(backend, wanted)).text


async def answers_several_at_once(backend: OpenVino) -> None:
    answers = await asyncio.gather(*(tell(backend, job(messages=STORY, max_tokens=6)) for _ in range(6)))
    assert all(told.usage["completion_tokens"] == 6 for told in answers)


async def refuses_a_prompt_that_is_too_long(backend: OpenVino) -> None:
    with pytest.raises(JobRejectedError, match="context window of 2048") as caught:
        await tell(backend, job(messages=[{"role": "user", "content": "hello " * 3000}]))
    assert (caught.value.status, caught.value.param) == (400, "messages")
    assert caught.value.code == "context_length_exceeded"


async def goes_on_with_an_answer_that_was_begun(backend: OpenVino) -> None:
    asked = {"role": "user", "content": "echo:|"}
    begun = {"role": "assistant", "content": "The capital of France is"}
    fresh = await tell(backend, job(messages=[asked], max_tokens=1))
    further = await tell(backend, job(messages=[asked, begun], max_tokens=1))
    assert further.usage["prompt_tokens"] > fresh.usage["prompt_tokens"]


async def refuses_a_schema_that_it_cannot_enforce(backend: OpenVino) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "string", "pattern": "("}}}
    with pytest.raises(JobRejectedError, match="'pattern'") as caught:
        await tell(backend, job(messages=STORY, response_format=wanted))
    assert caught.value.param == "response_format"
    assert (await tell(backend, job(messages=STORY, max_tokens=3))).finish == ["length"]


async def test_when_the_caller_leaves_the_engine_is_free_for_the_next(
    model: Path, batching: bool, start: Callable[..., Any]
) -> None:
    backend = await start(model, batching=batching, concurrency=1, max_context=4096)
    waiting = backend.chat(job(messages=STORY))
    async with aclosing(backend.chat(job(messages=STORY))) as blocks:
        assert b"assistant" in await anext(blocks)
        behind = asyncio.ensure_future(anext(waiting))
    async with asyncio.timeout(20):  # to its end the first answer would take minutes, or for ever
        assert b"assistant" in await behind
        await waiting.aclose()
        assert (await tell(backend, job(messages=STORY, max_tokens=2))).finish == ["length"]


@pytest.mark.live
async def test_the_real_library_writes_json_that_fits_the_schema(
    real: Path, batching: bool, start: Callable[..., Any]
) -> None:
    backend = await start(real, batching=batching)
    schema = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}
    told = await tell(backend, job(messages=STORY, max_tokens=200, response_format=wanted))
    assert told.finish == ["stop"]
    assert orjson.loads(told.text)["city"] in ("Paris", "Rome")


@pytest.mark.live
async def test_the_real_library_tells_what_the_model_itself_thought(real: Path, start: Callable[..., Any]) -> None:
    backend = await start(real)
    asked = [{"role": "user", "content": "What is the capital of France?"}]
    greedy = logprobs(await tell(backend, job(messages=asked, logprobs=True, max_tokens=1)))
    narrow = logprobs(await tell(backend, job(messages=asked, logprobs=True, max_tokens=1, temperature=1, top_p=0.01)))
    assert greedy[0]["token"] == narrow[0]["token"]
    # top_p leaves one token, whose probability would be 1; the rest is the KV cache's eight bits
    assert narrow[0]["logprob"] == pytest.approx(greedy[0]["logprob"], abs=0.2)
    assert greedy[0]["logprob"] < -0.3
