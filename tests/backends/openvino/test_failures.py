"""Engines that fail, programs that die, a library or a model that is not there."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import BackendRefusedError, JobRejectedError, StreamBrokenError
from backends.openvino import OpenVino
from tests.backends.openvino.running import STORY, job, make, says, tell, until_ready

pytestmark = pytest.mark.anyio


def kill(backend: OpenVino) -> None:
    assert backend.pid is not None
    os.kill(backend.pid, signal.SIGKILL)


async def test_a_killed_worker_breaks_its_jobs_and_comes_back(
    model: Path, batching: bool, start: Callable[..., Any]
) -> None:
    backend = await start(model, batching=batching)
    running = [backend.chat(job(messages=STORY)) for _ in range(2 if batching else 1)]
    for blocks in running:
        await anext(blocks)
    kill(backend)
    for blocks in running:
        with pytest.raises(StreamBrokenError, match="program ended"):
            [block async for block in blocks]
    with pytest.raises(BackendRefusedError, match=r"is (not running|still starting)"):
        await tell(backend, job(messages=STORY))
    await until_ready(backend)
    assert (await tell(backend, job(messages=STORY, max_tokens=2))).finish == ["length"]


async def test_an_engine_that_fails_first_refuses_and_later_breaks(stand_in: Path, start: Callable[..., Any]) -> None:
    backend = await start(stand_in, batching=False)
    with pytest.raises(BackendRefusedError, match="the engine is on fire") as caught:
        await tell(backend, says("fail:"))
    assert not isinstance(caught.value, JobRejectedError)
    with pytest.raises(StreamBrokenError, match="the engine is on fire"):
        await tell(backend, says("fail:so far"))
    assert (await tell(backend, says("say:well again"))).text == "well again"


async def test_a_batching_engine_that_fails_is_started_anew(stand_in: Path, start: Callable[..., Any]) -> None:
    backend = await start(stand_in)
    failed = backend.pid
    other = backend.chat(says("endless:la "))
    await anext(other)
    with pytest.raises(StreamBrokenError, match="the engine is on fire"):
        await tell(backend, says("fail:so far"))
    with pytest.raises(StreamBrokenError):
        [block async for block in other]
    await until_ready(backend, after=failed)
    assert (await tell(backend, says("say:well again"))).text == "well again"


async def test_a_worker_that_dies_over_a_job_breaks_it(stand_in: Path, start: Callable[..., Any]) -> None:
    backend = await start(stand_in)
    with pytest.raises(BackendRefusedError, match="program ended"):
        await tell(backend, says("die:"))


async def last_words(backend: OpenVino) -> str:
    await backend.start()
    async with asyncio.timeout(20):
        while True:
            with pytest.raises(BackendRefusedError) as caught:
                await backend.probe()
            if "last words" in str(caught.value):
                await backend.stop()
                return str(caught.value)
            await asyncio.sleep(0.02)  # nothing but the program itself tells when it has failed


async def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "openvino_genai.py").write_text("raise ImportError('no such library')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "pip install 'isotherm[openvino]'" in await last_words(make(tmp_path, tmp_path))


async def test_a_model_that_does_not_load_is_said_in_one_line(stand_in: Path, tmp_path: Path) -> None:
    words = await last_words(make(tmp_path / "broken.gguf", tmp_path))
    assert "OpenVINO failed with broken.gguf on CPU: Failed to read the model" in words
