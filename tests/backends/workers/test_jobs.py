"""Lines of a program that belong to no job, and programs that die amid one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.domain.errors import BackendRefusedError, StreamBrokenError
from backends.workers.jobs import Jobs

pytestmark = pytest.mark.anyio

HEAD = """
import json, sys
sys.stdin.readline()
def say(**line):
    print(json.dumps(line), flush=True)
say(ready=1)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return tmp_path / "program.py"


def write(path: Path, text: str) -> None:
    path.write_text(text)


@asynccontextmanager
async def running(program: Path, text: str) -> AsyncIterator[Jobs]:
    write(program, HEAD + text)
    jobs = Jobs("box", program, {})
    await jobs.start()
    try:
        yield jobs
    finally:
        await jobs.stop()


async def answer(jobs: Jobs) -> list[str]:
    return [line["text"] async for line in jobs.run({"ask": 1}) if "text" in line]


async def ready(jobs: Jobs) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                jobs.ready()
            except BackendRefusedError:
                await asyncio.sleep(0.01)  # nothing but the program itself tells when it is ready
            else:
                return


async def test_lines_of_no_job_or_of_a_job_that_is_over_are_passed_over(program: Path) -> None:
    echo = """
for line in sys.stdin:
    number = json.loads(line)["id"]
    say(note="no id"); say(id=99, text="not yours"); say(id=number, text="yours"); say(id=number, end=True)
    say(id=number, text="too late")
"""
    async with running(program, echo) as jobs:
        await ready(jobs)

        assert await answer(jobs) == ["yours"]
        assert await answer(jobs) == ["yours"]


@pytest.mark.parametrize(
    ("last_words", "failure"),
    [("sys.exit()", BackendRefusedError), ("say(id=number, text='half'); sys.exit()", StreamBrokenError)],
)
async def test_a_program_that_dies_fails_its_jobs(program: Path, last_words: str, failure: type[Exception]) -> None:
    async with running(program, f"number = json.loads(sys.stdin.readline())['id']\n{last_words}") as jobs:
        await ready(jobs)

        with pytest.raises(failure, match="its program ended"):
            await answer(jobs)
