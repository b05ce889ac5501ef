"""The kind `static_embeddings` with a table of four words, and with wordllama."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from app.domain.backend import Capability, ServedModel
from app.domain.errors import BackendRefusedError, JobRejectedError
from app.domain.job import Job
from backends.base import Resources
from backends.static_embeddings import StaticEmbeddings, StaticEmbeddingsSettings
from tests.backends.local_models import local_model

pytestmark = pytest.mark.anyio

WORDS = {"[UNK]": 0, "hot": 1, "cold": 2, "fan": 3}
VECTORS = [[9, 9, 9], [1, 0, 0], [0, 1, 0], [0, 3, 4]]


def write(directory: Path, **more: Any) -> Path:
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(directory / "tokenizer.json"))
    save_file({"embeddings": numpy.array(VECTORS, dtype=numpy.float16), **more}, directory / "model.safetensors")
    return directory


def make(directory: Path, **given: Any) -> StaticEmbeddings:
    settings = StaticEmbeddingsSettings.model_validate(
        {"id": "table", "kind": "static_embeddings", "model": "words", **given}
    )
    return StaticEmbeddings(settings, Resources(find_model=lambda _: directory, scratch=directory))


async def until_ready(backend: StaticEmbeddings) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await backend.probe()
            except BackendRefusedError:
                await asyncio.sleep(0.02)  # nothing but the program itself tells when it is ready
            else:
                return


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[StaticEmbeddings]:
    built = make(write(tmp_path), matryoshka=True)
    await built.start()
    await until_ready(built)
    yield built
    await built.stop()


def job(given: Any, **body: Any) -> Job:
    return Job("request", Capability.EMBED, "words", {"model": "words", "input": given, **body})


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def vectors(answer: dict[str, Any]) -> list[list[float]]:
    return [item["embedding"] for item in answer["data"]]


async def test_it_lists_its_model(backend: StaticEmbeddings) -> None:
    assert await backend.probe() == (ServedModel("words", capabilities=frozenset([Capability.EMBED])),)


async def test_the_answer_has_the_official_shape(backend: StaticEmbeddings) -> None:
    answer = await backend.embed(job(["hot", "fan fan"]))
    assert answer == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [1.0, 0.0, 0.0]},
            {"object": "embedding", "index": 1, "embedding": [0.0, pytest.approx(0.6), pytest.approx(0.8)]},
        ],
        "model": "words",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


async def test_a_text_is_the_normalised_mean_of_its_words_without_the_unknown(backend: StaticEmbeddings) -> None:
    (vector,) = vectors(await backend.embed(job("hot cold nonsense")))
    assert vector == pytest.approx([math.sqrt(0.5), math.sqrt(0.5), 0.0])


async def test_dimensions_cut_and_normalise_again(backend: StaticEmbeddings) -> None:
    (vector,) = vectors(await backend.embed(job("fan hot", dimensions=2)))
    assert vector == pytest.approx([1 / math.sqrt(10), 3 / math.sqrt(10)])


async def test_many_texts_keep_their_order(backend: StaticEmbeddings) -> None:
    answer = await backend.embed(job(["hot", "cold"] * 600))
    assert vectors(answer) == [[1, 0, 0], [0, 1, 0]] * 600
    assert [item["index"] for item in answer["data"]] == list(range(1200))


async def test_a_very_long_text_is_fine(backend: StaticEmbeddings) -> None:
    answer = await backend.embed(job("hot " * 200_000))
    assert vectors(answer) == [[1, 0, 0]]
    assert answer["usage"]["prompt_tokens"] == 200_000


@pytest.mark.parametrize(
    ("given", "dimensions", "param", "words"),
    [
        ([1, 2], None, "input", "check_embedding_ctx_length=False"),
        ([[1, 2]], None, "input", "token ids"),
        ("", None, "input", "empty"),
        ([], None, "input", "empty"),
        (["hot", "nonsense"], None, "input", r"input\[1\]"),
        ("hot", 4, "dimensions", "from 1 to 3"),
        ("hot", 0, "dimensions", "from 1 to 3"),
    ],
)
async def test_what_it_cannot_embed_is_the_callers_to_mend(
    backend: StaticEmbeddings, given: Any, dimensions: int | None, param: str, words: str
) -> None:
    with pytest.raises(JobRejectedError, match=words) as caught:
        await backend.embed(job(given, dimensions=dimensions))
    assert (caught.value.status, caught.value.param) == (400, param)


async def test_only_matryoshka_tables_honour_dimensions(tmp_path: Path) -> None:
    assert make(tmp_path).profile.honours[Capability.EMBED] == frozenset()
    assert make(tmp_path, model="wordllama-256").profile.honours[Capability.EMBED] == {"dimensions"}
    assert make(tmp_path, model="wordllama-256", matryoshka=False).profile.honours[Capability.EMBED] == frozenset()


async def test_a_table_may_weigh_its_tokens_and_share_rows(tmp_path: Path) -> None:
    weights, mapping = numpy.array([0, 3, 4, 1], dtype=numpy.float32), numpy.array([0, 1, 2, 1], dtype=numpy.int64)
    backend = make(write(tmp_path, weights=weights, mapping=mapping))
    await backend.start()
    await until_ready(backend)
    try:
        assert vectors(await backend.embed(job(["hot cold", "fan"]))) == [pytest.approx([0.6, 0.8, 0]), [1, 0, 0]]
    finally:
        await backend.stop()


async def test_a_killed_worker_is_refused_and_comes_back(backend: StaticEmbeddings) -> None:
    assert backend.pid is not None
    os.kill(backend.pid, signal.SIGKILL)
    with pytest.raises(BackendRefusedError):
        await backend.embed(job("hot"))
    await until_ready(backend)
    assert vectors(await backend.embed(job("hot"))) == [[1, 0, 0]]


async def test_before_it_is_started_it_refuses(tmp_path: Path) -> None:
    backend = make(tmp_path)
    with pytest.raises(BackendRefusedError, match="not started"):
        await backend.embed(job("hot"))
    await backend.stop()


async def test_a_directory_without_a_table_is_said_in_one_line(tmp_path: Path) -> None:
    backend = make(tmp_path)
    await backend.start()
    async with asyncio.timeout(20):
        while True:
            with pytest.raises(BackendRefusedError) as caught:
                await backend.probe()
            if "the embedding table can't be loaded" in str(caught.value):
                break
            await asyncio.sleep(0.02)  # nothing but the program itself tells when it has failed
    await backend.stop()


@pytest.mark.live
async def test_wordllama_brings_related_sentences_together() -> None:
    backend = make(local_model("wordllama-256"), model="wordllama-256")
    await backend.start()
    await until_ready(backend)
    texts = ["The graphics card is too hot.", "My GPU overheats.", "She baked an apple pie."]
    try:
        for dimensions in (256, 64):
            hot, gpu, pie = vectors(await backend.embed(job(texts, dimensions=dimensions)))
            assert len(hot) == dimensions
            assert math.hypot(*hot) == pytest.approx(1, abs=1e-5)
            assert cosine(hot, gpu) > 0.2 > cosine(hot, pie)
    finally:
        await backend.stop()
