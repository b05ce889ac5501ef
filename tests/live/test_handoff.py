"""Answers that move between real programs while their client reads: for heat, because a program dies, under load."""

from __future__ import annotations

import importlib.util
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import jsonschema
import pytest

from tests.live.gateway import Gateway, eventually, serving

pytestmark = pytest.mark.live

COOL, WARM, HOT = 30.0, 84.0, 91.0
MOST_SECONDS = 60.0
_SLOW_BYTES, _SLOW_SECONDS = 2048, 0.01  # a third slower than it is written
MEMORY = Path("/dev/shm")  # noqa: S108 (only looked at)
PLACES, STREAMS = 4, 32
TOKENS = 56
PROMPTS = (
    "Tell me a short story about a robot who learns to paint.",
    "Explain how rain is made.",
    "Write a poem about the sea.",
    "List ten animals, and say what each of them eats.",
    "Describe a market in a small town.",
)
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 30},
        "colours": {"type": "array", "items": {"type": "string", "maxLength": 8}, "minItems": 2, "maxItems": 3},
    },
    "required": ["name", "age", "colours"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "cat", "strict": True, "schema": SCHEMA}}
ZONES = """
server: {host: 127.0.0.1, port: 8080}
zones:
  - {id: hot, sensor: {kind: simulated, celsius: 30}, dwell_seconds: 0}
  - {id: cool, sensor: {kind: simulated, celsius: 30}, dwell_seconds: 0}
routing:
  aliases: {auto: ["*"]}
backends:
"""
LLAMA = f"kind: llamacpp, model: smollm2-135m, threads: 1, concurrency: {PLACES}, queue: 64, max_context: 1024"
HEALTH = "health: {interval_seconds: 1, cooldown_seconds: 1}"
SOURCE = f"  - {{id: hot, zone: hot, hardware: nvidia, tier: 1, {LLAMA}, {HEALTH}}}\n"
TWINS = f"{ZONES}{SOURCE}  - {{id: cool, zone: cool, hardware: npu, tier: 2, {LLAMA}, {HEALTH}}}\n"
OPENVINO = "kind: openvino, model: smollm2-135m"
STRANGERS = f"{ZONES}{SOURCE}  - {{id: cool, zone: cool, hardware: npu, tier: 2, {OPENVINO}, {HEALTH}}}\n"

Cue = Callable[[], object]


@contextmanager
def configured(directory: Path, configuration: str) -> Iterator[Gateway]:
    config = directory / "isotherm.yaml"
    config.write_text(configuration)
    with serving(directory, config) as running:
        eventually(lambda: running.healthy() >= {"hot", "cool"}, "both backends are healthy", within_seconds=60)
        yield running


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Two servers of the same model."""
    with configured(tmp_path_factory.mktemp("twins"), TWINS) as running:
        yield running


@pytest.fixture
def gateway(twins: Gateway) -> Iterator[Gateway]:
    """Both zones are cool before each test, and nothing is left of its answers after it."""
    cool_down(twins)
    yield twins
    left_nothing(twins)


def left_nothing(gateway: Gateway) -> None:
    eventually(lambda: gateway.busy() == 0, "all places are free")
    eventually(lambda: not files(gateway), "no state of a model is left")


def files(gateway: Gateway) -> list[Path]:
    """What the gateway has in its private directory."""
    directories = list(MEMORY.glob(f"isotherm-{gateway.process.pid}-*"))
    assert directories, "its private directory is elsewhere"
    return [found for directory in directories for found in directory.rglob("*") if found.is_file()]


def heat(gateway: Gateway, celsius: float, zone: str = "hot") -> None:
    """Without a client that first reads certificates: an answer is short."""
    connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=10)
    try:
        held = json.dumps({"celsius": celsius})
        connection.request("PUT", f"/admin/zones/{zone}", held, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
    finally:
        connection.close()


def cool_down(gateway: Gateway) -> None:
    """Until nobody expects a leap back to the heat either."""
    for zone in ("hot", "cool"):
        heat(gateway, COOL, zone)

    def is_cool() -> bool:
        zones = gateway.get("/admin/zones").json()["data"]
        return all(zone["state"] == "nominal" and zone["seconds_until_critical"] is None for zone in zones)

    eventually(is_cool, "all is cool")


def decision(gateway: Gateway, request_id: str) -> dict[str, Any]:
    """The record of an answer that is over."""

    def over() -> dict[str, Any] | None:
        record: dict[str, Any] = gateway.get(f"/admin/decisions/{request_id}").json()
        return record if record.get("outcome") not in (None, "running") else None

    return eventually(over, "the answer is over") or {}


class Answer:
    """A stream as its client read it; `cue` is called once, as soon as it has so many pieces of text."""

    def __init__(
        self,
        gateway: Gateway,
        body: dict[str, Any],
        cut: int | None = None,
        cue: Cue = lambda: None,
        path: str = "chat",
    ) -> None:
        self.gateway = gateway
        self.request_id = f"test-{uuid4().hex}"
        self.pieces: list[str] = []
        self.before = ""
        self.ends: list[str] = []
        self.ids: set[str] = set()
        self.errors: list[Any] = []
        self.done = 0
        url = f"{gateway.api}/{path}/completions" if path else f"{gateway.api}/completions"
        asked = {"model": "auto", "stream": True, **body}
        headers = {"X-Request-ID": self.request_id}
        with httpx.stream("POST", url, json=asked, headers=headers, trust_env=False, timeout=MOST_SECONDS) as told:
            assert told.status_code == 200, told.read()
            for line in told.iter_lines():
                if not line.startswith("data: "):
                    continue
                said = self._hear(line[6:])
                if said and len(self.pieces) == cut:
                    self.before = self.text
                    cue()

    def _hear(self, data: str) -> bool:
        """Whether it is a piece of text."""
        assert not self.done, "something came after the end"
        if data == "[DONE]":
            self.done += 1
            return False
        event = json.loads(data)
        if "error" in event:
            self.errors.append(event["error"])
            return False
        self.ids.add(event["id"])
        said = False
        for choice in event["choices"]:
            self.ends += [choice["finish_reason"]] if choice["finish_reason"] else []
            piece = choice["delta"].get("content") if "delta" in choice else choice["text"]
            if piece:
                self.pieces.append(piece)
                said = True
        return said

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def record(self) -> dict[str, Any]:
        return decision(self.gateway, self.request_id)

    @property
    def told(self) -> str:
        """The record, to be shown in full where a test fails."""
        return json.dumps(self.record, indent=1)

    def complete(self) -> None:
        """Nothing is missing, nothing is there twice."""
        assert not self.errors, self.told
        assert (len(self.ends), self.done, len(self.ids)) == (1, 1, 1), self.told
        assert self.text.startswith(self.before)

    def handoff(self, **expected: Any) -> dict[str, Any]:
        """Its only move."""
        record = self.record
        assert record["outcome"] == "completed", str(record)
        assert len(record["handoffs"]) == 1, str(record)
        found: dict[str, Any] = record["handoffs"][0]
        wanted = {"reason": "heat", "from": "hot", "to": "cool", "result": "completed", **expected}
        assert {name: found[name] for name in wanted} == wanted, str(record)
        return found


def chat(asked: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": asked}], "temperature": 0, "max_tokens": TOKENS, **more}


def without_an_overlap(answer: Answer) -> bool:
    """Whether what came after the cut does not begin with the end of what came before it."""
    after = answer.text[len(answer.before) :]
    longest = min(len(answer.before), len(after))
    return not any(answer.before.endswith(after[:length]) for length in range(16, longest + 1))


@pytest.mark.parametrize("asked", PROMPTS)
def test_an_answer_that_moves_with_its_state_is_what_it_would_have_been(gateway: Gateway, asked: str) -> None:
    stayed = Answer(gateway, chat(asked))
    stayed.complete()
    cuts = random.Random(asked).sample(range(1, len(stayed.pieces) - 16), 4)

    for cut in cuts:
        moved = Answer(gateway, chat(asked), cut, lambda: heat(gateway, HOT))
        cool_down(gateway)

        moved.complete()
        assert (moved.text, moved.ends) == (stayed.text, stayed.ends), (cut, moved.told)
        assert moved.handoff(continuation="kv", prepared=False)["cache_reused_tokens"] > 0, moved.told


@pytest.mark.parametrize("cut", [1, 13, 40])
def test_a_completion_that_moves_is_what_it_would_have_been(gateway: Gateway, cut: int) -> None:
    asked = {"prompt": "The history of the sea begins", "temperature": 0, "max_tokens": TOKENS}
    stayed = Answer(gateway, asked, path="")

    moved = Answer(gateway, asked, cut, lambda: heat(gateway, HOT), path="")

    moved.complete()
    assert (moved.text, moved.ends) == (stayed.text, stayed.ends), moved.told
    assert moved.handoff(continuation="kv")["cache_reused_tokens"] > 0, moved.told


def test_an_answer_that_nobody_streams_moves_too(gateway: Gateway) -> None:
    request_id = f"test-{uuid4().hex}"
    asked = {"model": "auto", **chat(PROMPTS[0], max_tokens=150)}

    def ask(**headers: str) -> dict[str, Any]:
        answer = httpx.post(
            f"{gateway.api}/chat/completions", json=asked, headers=headers, trust_env=False, timeout=MOST_SECONDS
        )
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    stayed = ask()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask, **{"X-Request-ID": request_id})
        eventually(lambda: gateway.backends()["hot"]["busy"], "it is being written")
        heat(gateway, HOT)
        moved = asking.result()

    assert moved["choices"] == stayed["choices"]
    assert moved["usage"]["completion_tokens"] == stayed["usage"]["completion_tokens"]
    assert moved["usage"]["prompt_tokens"] == stayed["usage"]["prompt_tokens"]
    record = decision(gateway, request_id)
    assert [(move["from"], move["to"], move["result"]) for move in record["handoffs"]] == [
        ("hot", "cool", "completed")
    ], str(record)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_sampled_answer_goes_on_without_a_gap_or_an_echo(gateway: Gateway, seed: int) -> None:
    asked = chat(PROMPTS[seed], temperature=1, seed=seed, ignore_eos=True)

    moved = Answer(gateway, asked, 10 * seed, lambda: heat(gateway, HOT))

    moved.complete()
    moved.handoff(continuation="kv")
    assert moved.ends == ["length"]
    assert without_an_overlap(moved)
    assert moved.record["usage"]["completion_tokens"] == TOKENS, moved.told


def test_a_move_at_a_warning_is_prepared_and_changes_nothing(gateway: Gateway) -> None:
    asked = chat(PROMPTS[0], max_tokens=120)
    stayed = Answer(gateway, asked)

    moved = Answer(gateway, asked, 12, lambda: heat(gateway, WARM))

    moved.complete()
    moved.handoff(continuation="kv", prepared=True)
    assert (moved.text, moved.ends) == (stayed.text, stayed.ends), moved.told


@pytest.mark.parametrize("cut", [2, 9, 16])
def test_a_document_in_the_middle_of_its_schema_stays_valid(gateway: Gateway, cut: int) -> None:
    asked = chat("Describe a cat named Tom as JSON with name, age and colours.", response_format=FORMAT, max_tokens=150)

    answer = Answer(gateway, asked, cut, lambda: heat(gateway, HOT))

    answer.complete()
    assert answer.ends == ["stop"], answer.told
    jsonschema.validate(json.loads(answer.text), SCHEMA)


def test_many_answers_leave_a_hot_zone_and_none_is_lost(gateway: Gateway) -> None:
    started = threading.Barrier(PLACES, action=lambda: heat(gateway, HOT))
    first = threading.Semaphore(PLACES)

    def cue() -> None:
        """The first ones to write wait for each other; then it gets hot while the others are in line."""
        if first.acquire(blocking=False):
            started.wait(MOST_SECONDS)

    with ThreadPoolExecutor(STREAMS) as pool:
        asked = [
            chat("Count as far as you can.", max_tokens=8 + number % 4 * 16, ignore_eos=True)
            for number in range(STREAMS)
        ]
        asking = [pool.submit(Answer, gateway, body, 3, cue) for body in asked]
        answers = [each.result() for each in asking]

    for answer, body in zip(answers, asked, strict=True):
        answer.complete()
        assert answer.ends == ["length"], answer.told
        assert answer.record["usage"]["completion_tokens"] == body["max_tokens"], answer.told
    moves = [move for answer in answers for move in answer.record["handoffs"]]
    assert moves
    assert {(move["to"], move["result"]) for move in moves} == {("cool", "completed")}, moves


class Reader:
    """A client that reads from a bare socket, as slowly as it likes."""

    def __init__(self, gateway: Gateway, body: dict[str, Any]) -> None:
        self.request_id = f"test-{uuid4().hex}"
        self.read = bytearray()
        asked = json.dumps({"model": "auto", "stream": True, **body}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            f"Connection: close\r\nX-Request-ID: {self.request_id}\r\nContent-Length: {len(asked)}\r\n\r\n"
        )
        where = urlsplit(gateway.url)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(MOST_SECONDS)
        self.socket.connect((where.hostname, where.port))
        self.socket.sendall(head.encode() + asked)

    def until(self, found: bytes) -> None:
        """Read on until this has come, a few bytes at once."""
        searched = 0
        while self.read.find(found, searched) < 0:
            searched = max(0, len(self.read) - len(found))
            piece = self.socket.recv(_SLOW_BYTES)
            assert piece, self.read[-500:]
            self.read += piece
            time.sleep(_SLOW_SECONDS)

    def leave(self) -> None:
        """Without a word: a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def text(self) -> str:
        lines = bytes(self.read).split(b"\n")
        events = [json.loads(line[6:]) for line in lines if line.startswith(b"data: {")]
        return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])


@pytest.mark.parametrize("celsius", [WARM, HOT])
def test_an_answer_moves_under_a_client_that_reads_slowly(gateway: Gateway, celsius: float) -> None:
    asked = chat(PROMPTS[0], max_tokens=200, logprobs=True, top_logprobs=20)  # many bytes: more than sockets hold
    stayed = Answer(gateway, asked)

    slow = Reader(gateway, asked)
    slow.until(b'"content":"')
    heat(gateway, celsius)
    slow.until(b"data: [DONE]")
    slow.leave()

    assert slow.text() == stayed.text
    record = decision(gateway, slow.request_id)
    assert record["outcome"] == "completed", str(record)
    assert [move["result"] for move in record["handoffs"]] == ["completed"], str(record)


@pytest.mark.parametrize("celsius", [WARM, HOT])
def test_a_client_that_leaves_amid_the_move_leaves_nothing_behind(gateway: Gateway, celsius: float) -> None:
    for _ in range(4):
        gone = Reader(gateway, chat(PROMPTS[0], max_tokens=400, ignore_eos=True))
        gone.until(b'"content":"')
        leaving = threading.Thread(target=gone.leave)
        heating = threading.Thread(target=heat, args=(gateway, celsius))
        heating.start()
        leaving.start()
        heating.join()
        leaving.join()

        eventually(lambda: gateway.busy() == 0, "all places are free")
        assert decision(gateway, gone.request_id)["outcome"] != "completed"
        left_nothing(gateway)
        cool_down(gateway)


def test_an_answer_outlives_the_program_that_wrote_it(gateway: Gateway) -> None:
    programs = {program.pid: program for program in gateway.programs("llama")}
    assert len(programs) == 2, [program.cmdline() for program in gateway.programs()]

    def kill() -> None:
        """The one that works is the one that has used more of the processor since the answer began."""
        now = {pid: sum(program.cpu_times()[:2]) for pid, program in programs.items()}
        programs[max(now, key=lambda pid: now[pid] - before[pid])].kill()

    before = {pid: sum(program.cpu_times()[:2]) for pid, program in programs.items()}
    moved = Answer(gateway, chat(PROMPTS[0], max_tokens=120, ignore_eos=True), 30, kill)

    moved.complete()
    assert moved.ends == ["length"]
    assert moved.handoff(reason="fault")["continuation"] in ("tokens", "prefill"), moved.told
    assert without_an_overlap(moved)
    eventually(lambda: gateway.healthy() >= {"hot", "cool"}, "its program runs again", within_seconds=60)


@pytest.mark.skipif(importlib.util.find_spec("openvino_genai") is None, reason="pip install 'isotherm[openvino]'")
def test_an_answer_goes_on_at_an_engine_of_another_make(tmp_path: Path) -> None:
    with configured(tmp_path, STRANGERS) as gateway:
        moved = Answer(gateway, chat(PROMPTS[0], max_tokens=80), 20, lambda: heat(gateway, HOT))

        moved.complete()
        moved.handoff(continuation="prefill")
        assert len(moved.text) > len(moved.before)
        assert without_an_overlap(moved)
        left_nothing(gateway)
