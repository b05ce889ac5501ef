"""Many streams of the official Python SDK at once, and streams that their readers leave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.live.gateway import Gateway, eventually

pytestmark = [pytest.mark.live, pytest.mark.anyio]

STORY: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Tell a very long story."}]
LONG = 2000  # tokens: more than anybody here reads
WITHOUT_AN_END = {"ignore_eos": True}  # of llama.cpp: now and then a small model's long story is one short sentence


@asynccontextmanager
async def asking(gateway: Gateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=gateway.api, api_key="none", max_retries=0) as client:
        yield client


async def left_after_a_word(client: openai.AsyncOpenAI) -> None:
    """Open a stream, read a word, and go."""
    stream = await client.chat.completions.create(model="auto", messages=STORY, max_tokens=LONG, stream=True)
    async with stream:
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                return


async def test_many_streams_at_once_are_all_answered_by_both_backends(gateway: Gateway) -> None:
    async def read(client: openai.AsyncOpenAI, number: int) -> tuple[str, str]:
        stream = await client.chat.completions.with_raw_response.create(
            model="auto", messages=[{"role": "user", "content": f"Count to {number}."}], max_tokens=8, stream=True
        )
        chunks = [chunk async for chunk in stream.parse()]
        assert chunks[-1].choices[0].finish_reason in ("stop", "length")
        return stream.headers["x-backend-used"], "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    async with asking(gateway) as client:
        answers = await asyncio.gather(*(read(client, number) for number in range(24)))

    assert all(text for _, text in answers)
    assert {backend for backend, _ in answers} == {"eco", "max"}
    assert gateway.busy() == 0


async def test_a_stream_that_its_reader_leaves_frees_its_place_within_a_second(gateway: Gateway) -> None:
    async with asking(gateway) as client:
        stream = await client.chat.completions.create(model="auto", messages=STORY, max_tokens=LONG, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        assert gateway.busy() == 1
        await stream.close()
        await asyncio.to_thread(eventually, lambda: gateway.busy() == 0, "its place is free", within_seconds=1)


async def test_a_whole_answer_that_nobody_waits_for_any_more_frees_its_place(gateway: Gateway) -> None:
    async with asking(gateway) as client:
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(
                model="auto", messages=STORY, max_tokens=LONG, timeout=0.5, extra_body=WITHOUT_AN_END
            )
        await asyncio.to_thread(eventually, lambda: gateway.busy() == 0, "its place is free", within_seconds=1)


async def test_a_reader_that_left_stops_the_model_too(gateway: Gateway) -> None:
    def working() -> float:
        return sum(sum(program.cpu_times()[:2]) for program in gateway.programs("llamacpp"))

    def rests() -> bool:
        before, until = working(), time.monotonic() + 0.3  # a model at work shows on the CPU's clock each 10 ms
        while time.monotonic() < until:
            if working() != before:
                return False
        return True

    async with asking(gateway) as client:
        await left_after_a_word(client)
        await asyncio.to_thread(eventually, rests, "the model rests")


async def test_two_hundred_streams_that_are_left_leave_nothing_behind(gateway: Gateway) -> None:
    async def leave(client: openai.AsyncOpenAI, times: int) -> None:
        for _ in range(times):
            await left_after_a_word(client)

    def settled_files() -> int:
        eventually(lambda: gateway.busy() == 0, "every place is free")
        return gateway.open_files()

    async with asking(gateway) as client:
        await asyncio.gather(*(leave(client, 1) for _ in range(8)))
    before = await asyncio.to_thread(settled_files)

    async with asking(gateway) as client:
        await asyncio.gather(*(leave(client, 25) for _ in range(8)))

    few = 5  # a probe may be on its way
    await asyncio.to_thread(eventually, lambda: settled_files() <= before + few, "no more open files than before")
