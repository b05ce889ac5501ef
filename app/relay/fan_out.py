"""Several choices, or several prompts, from a backend that makes one at a time: its streams told as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson

from app.domain.errors import StreamBrokenError
from app.domain.job import Job
from app.domain.sse import DONE, encode, payloads

_HELD_EVENTS = 256

Event = dict[str, Any]
Stream = Callable[[Job], AsyncGenerator[bytes, None]]
#: An event and whose it is, why one stream failed, or that one has ended.
Item = tuple[int, Event] | Exception | None


async def fan_out(stream: Stream, job: Job, backend: str) -> AsyncGenerator[bytes, None]:
    """Blocks of events whose `index` tells the choices apart, in the order in which they come, then the usage.

    The choices share `id`, `created` and `model`. Prompt i's choice j has index i * n + j. Raises what the
    first failing stream raises, StreamBrokenError for events that make no sense; closing it closes them all.
    """
    queue: asyncio.Queue[Item] = asyncio.Queue(_HELD_EVENTS)
    jobs = list(_single(job))
    n = len(jobs) // len(_prompts(job.body))
    tasks = [asyncio.create_task(_pump(index, stream(single), queue, backend)) for index, single in enumerate(jobs)]
    head: Event = {}
    usages: dict[int, Event] = {}
    try:
        running = len(tasks)
        while running:
            item = await queue.get()
            if item is None:
                running -= 1
                continue
            if isinstance(item, Exception):
                raise item
            index, event = item
            head = head or {key: event[key] for key in ("id", "created", "model") if key in event}
            if event.get("choices"):
                yield encode(orjson.dumps({**event, **head, "choices": _indexed(event["choices"], index)}))
            if isinstance(event.get("usage"), dict):
                usages[index] = event["usage"]
        if usages:
            kind = "text_completion" if "prompt" in job.body else "chat.completion.chunk"
            yield encode(orjson.dumps({**head, "object": kind, "choices": [], "usage": _sum(usages, n)}))
        yield DONE
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(index: int, blocks: AsyncGenerator[bytes, None], queue: asyncio.Queue[Item], backend: str) -> None:
    try:
        async with aclosing(blocks):
            async for block in blocks:
                for data in payloads(block):
                    if data != b"[DONE]":
                        await queue.put((index, _event(data)))
    except ValueError:
        await queue.put(StreamBrokenError(backend, "sent an event that is none of an answer"))
    except Exception as error:  # noqa: BLE001 (raised again by whoever reads the queue)
        await queue.put(error)
    else:
        await queue.put(None)


def _event(data: bytes) -> Event:
    """Raises ValueError for something that is no event."""
    event = orjson.loads(data)
    if not isinstance(event, dict):
        raise ValueError("no object")
    choices = event.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise ValueError("no choices")
    return event


def _prompts(body: Mapping[str, Any]) -> list[Any]:
    """The prompts of a completion: one text or token list each; a conversation counts as one."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list):
        return prompt
    return [prompt]


def _single(job: Job) -> Iterator[Job]:
    """One job a choice; a seed moves on from choice to choice, or they would all be the same."""
    n, seed = job.body.get("n") or 1, job.body.get("seed")
    body = {key: value for key, value in job.body.items() if key != "n"}
    for prompt in _prompts(job.body):
        for choice in range(n):
            changes: dict[str, Any] = {} if "prompt" not in body else {"prompt": prompt}
            if seed is not None:
                changes["seed"] = seed + choice
            yield replace(job, body={**body, **changes}, choices=1)


def _indexed(choices: list[Event], index: int) -> list[Event]:
    return [{**choice, "index": index} for choice in choices]


def _sum(usages: Mapping[int, Event], n: int) -> Event:
    """Each prompt is counted once, however many choices were made of it."""
    prompt = sum(usage.get("prompt_tokens") or 0 for index, usage in usages.items() if index % n == 0)
    completion = sum(usage.get("completion_tokens") or 0 for usage in usages.values())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
