"""A running answer that leaves one real llama.cpp server with its state and goes on at another, as if it had stayed."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.domain.backend import Capability
from app.domain.errors import BackendRefusedError
from app.domain.handoff import Begun, Continuation, Snapshot
from app.domain.job import Job
from backends.base import Continues, Resources, Warms
from backends.llamacpp import LlamaCpp
from backends.llamacpp_settings import LlamaCppSettings
from backends.shelf import Shelf
from tests.backends.kinds import events, text
from tests.backends.local_models import local_model

pytestmark = [pytest.mark.live, pytest.mark.anyio]

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (only a private directory is made in it)
STORY = "Tell me a short story about a robot who learns to paint."
SIGNS = "Write a friendly greeting in Japanese and in Chinese, with many emoji."
JSON = "Describe a cat named Tom as JSON with name, age and colours."
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer"},
        "colours": {"type": "array", "items": {"type": "string", "maxLength": 8}, "minItems": 2, "maxItems": 3},
    },
    "required": ["name", "age", "colours"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "cat", "strict": True, "schema": SCHEMA}}


class Pair:
    """Two servers of the same model that share a directory and a shelf."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.shelf = Shelf()
        self.source, self.target = (self._backend(name, threads) for name, threads in (("hot", 2), ("cool", 1)))

    def _backend(self, name: str, threads: int) -> LlamaCpp:
        told = {"id": name, "kind": "llamacpp", "model": "smol", "threads": threads, "max_context": 1024}
        found = Resources(lambda _: local_model("smollm2-135m"), self.directory, self.shelf)
        return LlamaCpp(LlamaCppSettings.model_validate(told), found)

    async def start(self) -> None:
        for backend in (self.source, self.target):
            await backend.start()
        async with asyncio.timeout(60):
            await asyncio.gather(*(_probed(backend) for backend in (self.source, self.target)))

    async def stop(self) -> None:
        for backend in (self.source, self.target):
            await backend.stop()

    async def leave(self, job: Job, cut: int) -> Snapshot:
        """The state of the answer after so many pieces."""
        stream, read, pieces = getattr(self.source, job.capability.value)(job), b"", 0
        async for block in stream:
            read += block
            pieces = sum(bool(text([event])) for event in events(read))
            if pieces >= cut:
                break
        return await self.source.save(job, Begun(text(events(read)), written=pieces), stream.aclose)

    async def moved(self, job: Job, cut: int) -> tuple[str, list[dict[str, Any]]]:
        """The whole text of an answer that moves after so many pieces, and the events of the second part."""
        snapshot = await self.leave(job, cut)
        assert snapshot.file.stat().st_mode & 0o777 == 0o600
        assert snapshot.file.stat().st_size == snapshot.size_bytes
        left = job.body["max_tokens"] - snapshot.begun.written
        rest = await heard(self.target.restore(job.with_body(max_tokens=left), snapshot))
        snapshot.delete()
        return snapshot.begun.text + text(rest), rest


async def _probed(backend: LlamaCpp) -> None:
    while True:
        with suppress(BackendRefusedError):
            await backend.probe()
            return
        await asyncio.sleep(0.02)  # nothing but the program itself tells when it is ready


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    with tempfile.TemporaryDirectory(prefix="isotherm-test-", dir=MEMORY) as directory:
        made = Pair(Path(directory))
        try:
            await made.start()
            yield made
        finally:
            await made.stop()


@pytest.fixture(autouse=True)
async def nothing_is_left(pair: Pair) -> AsyncIterator[None]:
    yield
    assert list(pair.directory.iterdir()) == []
    assert pair.shelf.size_bytes == 0


def chat(asked: str, **more: Any) -> Job:
    body = {"messages": [{"role": "user", "content": asked}], "temperature": 0, "max_tokens": 90, **more}
    return Job("request", Capability.CHAT, "smol", {"model": "smol", **body})


def completion(asked: str, **more: Any) -> Job:
    body = {"prompt": asked, "temperature": 0, "max_tokens": 60, **more}
    return Job("request", Capability.COMPLETE, "smol", {"model": "smol", **body})


async def heard(stream: Any) -> list[dict[str, Any]]:
    return events(b"".join([block async for block in stream]))


def ending(told: list[dict[str, Any]]) -> list[str]:
    return [choice["finish_reason"] for event in told for choice in event["choices"] if choice["finish_reason"]]


async def test_the_self_test_finds_that_everything_works(pair: Pair) -> None:
    for backend in (pair.source, pair.target):
        assert isinstance(backend, Continues)
        assert isinstance(backend, Warms)
        assert backend.continuations == {Continuation.KV, Continuation.TOKENS, Continuation.PREFILL}
        assert backend.keeps_constraints == backend.continuations
        assert backend.move_seconds is not None
    assert pair.source.state_kind == pair.target.state_kind
    assert pair.source.state_kind is not None


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 8, 13, 21, 34, 47, 55, 68, 80, 88])
async def test_a_chat_goes_on_as_if_it_had_stayed(pair: Pair, cut: int) -> None:
    job = chat(STORY)
    stayed = await heard(pair.source.chat(job))

    moved, rest = await pair.moved(job, cut)

    assert moved == text(stayed)
    assert ending(rest) == ending(stayed) == ["length"]
    cached = rest[-1]["usage"]["prompt_tokens_details"]["cached_tokens"]
    assert cached >= rest[-1]["usage"]["prompt_tokens"] - 2


@pytest.mark.parametrize("cut", [1, 3, 6, 9, 12, 15, 18, 22, 27, 33])
async def test_characters_of_many_bytes_are_not_cut(pair: Pair, cut: int) -> None:
    job = chat(
        SIGNS, messages=[{"role": "user", "content": "Repeat: 日本語🙂 你好👋 こんにちは🎉🎉 café. Again and again."}]
    )
    stayed = text(await heard(pair.source.chat(job)))

    moved, _ = await pair.moved(job, cut)

    assert any(ord(character) > 0x2000 for character in stayed)
    assert moved == stayed


@pytest.mark.parametrize("cut", [1, 7, 20, 41])
async def test_a_completion_goes_on_as_if_it_had_stayed(pair: Pair, cut: int) -> None:
    job = completion("The capital of France is", logprobs=2)
    stayed = await heard(pair.source.complete(job))

    moved, rest = await pair.moved(job, cut)

    assert moved == text(stayed)
    offsets = [
        choice["logprobs"]["text_offset"][0] for event in rest for choice in event["choices"] if choice.get("logprobs")
    ]
    assert offsets
    assert offsets[0] >= len(moved) - len(text(rest))
    assert offsets == sorted(offsets)


@pytest.mark.parametrize("cut", [3, 10, 25])
async def test_a_stop_string_after_the_move_ends_the_answer(pair: Pair, cut: int) -> None:
    whole = text(await heard(pair.source.chat(chat(STORY))))
    stop = whole[-40:-25]
    stayed = await heard(pair.source.chat(chat(STORY, stop=[stop])))

    moved, rest = await pair.moved(chat(STORY, stop=[stop]), cut)

    assert moved == text(stayed)
    assert ending(rest) == ["stop"]


async def test_logprobs_have_the_shape_of_chat_after_the_move(pair: Pair) -> None:
    _, rest = await pair.moved(chat(STORY, logprobs=True, top_logprobs=3), 9)

    told = [choice["logprobs"] for event in rest for choice in event["choices"] if choice.get("logprobs")]
    assert len(told) > 50
    assert all(set(each) == {"content", "refusal"} for each in told)
    assert {len(entry["top_logprobs"]) for each in told for entry in each["content"]} == {3}
    assert {event["object"] for event in rest} == {"chat.completion.chunk"}


@pytest.mark.parametrize("cut", range(1, 26, 2))
async def test_a_constrained_document_keeps_to_its_schema_when_it_moves_in_the_middle(pair: Pair, cut: int) -> None:
    moved, rest = await pair.moved(chat(JSON, response_format=FORMAT), cut)

    jsonschema.validate(json.loads(moved), SCHEMA)
    assert ending(rest) == ["stop"]


@pytest.mark.parametrize("method", ["replay", "prefill"])
async def test_what_was_read_ahead_is_not_read_again(pair: Pair, method: str) -> None:
    whole = text(await heard(pair.source.chat(chat(STORY))))
    begun, job = Begun(whole[: len(whole) // 2]), chat(STORY, max_tokens=20)

    await pair.target.warm(job, begun)
    rest = await heard(getattr(pair.target, method)(job, begun))

    usage = rest[-1]["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] >= usage["prompt_tokens"] - 2
    assert text(rest)
    assert whole[:20] not in text(rest)
