"""The llama.cpp programs of a gateway: restarted when they die, gone when it has gone, closed to everybody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import psutil
import pytest

from app.catalogue.cache import Cache, default_root
from app.catalogue.catalogue import load_catalogue
from app.wiring import model_finder
from tests.live.gateway import CHAT_MODEL, ROOT, Gateway, eventually, left_of, serving

pytestmark = pytest.mark.live

WORKER = ROOT / "backends" / "workers" / "llamacpp_server.py"


@pytest.fixture
def own_gateway(tmp_path: Path) -> Iterator[Gateway]:
    """One that a test may damage."""
    with serving(tmp_path) as running:
        eventually(lambda: running.healthy() >= {"eco", "max"}, "both backends are healthy")
        yield running


def answered_by(gateway: Gateway) -> str:
    """Who answers a short question now."""
    with openai.OpenAI(base_url=gateway.api, api_key="none", max_retries=0) as client:
        answer = client.chat.completions.with_raw_response.create(
            model=CHAT_MODEL, messages=[{"role": "user", "content": "Say hello."}], max_tokens=12
        )
    assert answer.parse().choices[0].message.content
    return answer.headers["x-backend-used"]


def that_works(gateway: Gateway) -> psutil.Process:
    """The program that answers a question, found by the time of the CPU that it takes."""
    before = {program: sum(program.cpu_times()[:2]) for program in gateway.programs(WORKER.name)}
    answered_by(gateway)
    return max(before, key=lambda program: sum(program.cpu_times()[:2]) - before[program])


def scratch_of(gateway: Gateway) -> list[Path]:
    """The directories in memory that it has made."""
    memory = Path("/dev/shm")  # noqa: S108 (where the gateway makes them)
    return list(memory.glob(f"isotherm-{gateway.process.pid}-*"))


def test_a_program_that_dies_is_stood_in_for_and_started_again(own_gateway: Gateway) -> None:
    assert answered_by(own_gateway) == "eco"
    victim = that_works(own_gateway)

    victim.send_signal(signal.SIGKILL)
    victim.wait(5)

    assert answered_by(own_gateway) == "max"
    eventually(lambda: len(own_gateway.programs(WORKER.name)) == 2, "there are two programs again")
    eventually(lambda: answered_by(own_gateway) == "eco", "the new program answers", within_seconds=40)
    assert "backend eco: its program ended, next try in 1 s" in own_gateway.log


def test_a_gateway_that_is_told_to_stop_leaves_nothing_behind(own_gateway: Gateway) -> None:
    (scratch,) = scratch_of(own_gateway)
    assert scratch.stat().st_mode & 0o077 == 0

    status = own_gateway.stop()

    assert status in (0, -signal.SIGTERM)
    assert not scratch.exists()


def test_a_gateway_that_is_killed_takes_its_programs_with_it(own_gateway: Gateway) -> None:
    programs, scratch = own_gateway.programs(), scratch_of(own_gateway)
    assert len(programs) >= 3

    own_gateway.process.kill()
    own_gateway.process.wait()

    try:
        assert left_of(programs) == []
    finally:
        for directory in scratch:  # who is killed can't tidy up
            directory.rmdir()


def test_its_programs_listen_on_loopback_only_and_want_a_key(gateway: Gateway) -> None:
    programs = gateway.programs(WORKER.name)
    assert len(programs) == 2
    for program in programs:
        (listening,) = [found for found in program.net_connections() if found.status == psutil.CONN_LISTEN]
        assert listening.laddr.ip == "127.0.0.1"
        for path in ("/v1/chat/completions", "/completion", "/slots/0?action=save", "/tokenize"):
            answer = httpx.post(f"http://127.0.0.1:{listening.laddr.port}{path}", json={}, trust_env=False)
            assert answer.status_code == 401, path


def test_no_key_of_its_programs_is_on_a_command_line(gateway: Gateway) -> None:
    for program in gateway.programs(WORKER.name):
        assert program.cmdline()[1:] == ["-P", str(WORKER)]


@contextmanager
def worker(directory: Path) -> Iterator[httpx.Client]:
    """The program by itself, and a client that has its key."""
    model = model_finder(load_catalogue(ROOT / "config" / "models.yaml"), Cache(default_root(os.environ)))(CHAT_MODEL)
    told = {
        "model": str(model),
        "alias": CHAT_MODEL,
        "key": "the-key-of-this-test",
        "threads": 1,
        "context": 512,
        "slots": 1,
        "slot_directory": str(directory),
        "embeddings": False,
    }
    process = subprocess.Popen(
        [sys.executable, "-P", str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(told).encode() + b"\n")
            process.stdin.flush()
            url = json.loads(process.stdout.readline())["url"]
            headers = {"Authorization": f"Bearer {told['key']}"}
            with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
                yield client
        finally:
            process.kill()


def test_what_a_slot_remembers_can_be_saved_and_restored(gateway: Gateway, tmp_path: Path) -> None:
    with worker(tmp_path) as program:  # `gateway` has fetched the model
        program.post(
            "/completion", json={"prompt": "One, two, three,", "n_predict": 4, "id_slot": 0, "cache_prompt": True}
        )
        saved = program.post("/slots/0?action=save", json={"filename": "slot.bin"}).json()
        erased = program.post("/slots/0?action=erase", json={}).json()
        restored = program.post("/slots/0?action=restore", json={"filename": "slot.bin"}).json()

    assert saved["n_saved"] > 0
    assert erased["n_erased"] == saved["n_saved"]
    assert restored["n_restored"] == saved["n_saved"]
    assert (tmp_path / "slot.bin").stat().st_size == saved["n_written"]
