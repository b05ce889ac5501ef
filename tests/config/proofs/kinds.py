"""Proofs for the keys that only some kinds of backend have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.backend import Capability, Hardware
from app.domain.errors import BackendError
from app.loader import load
from backends.base import KINDS, Resources
from backends.lane import Lane
from backends.prober import Prober
from tests.backends.kinds import KINDS_UNDER_TEST, job, stream
from tests.config.proofs.proof import Proof
from tests.fakes.answers import Json
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import HttpServer
from tests.fakes.llamacpp_server import LlamaCppServer
from tests.fakes.wire import Request

Observe = Callable[[Any], Awaitable[Any]]

TELLERS = Path(__file__).parents[2] / "fakes" / "tellers"


def make(kind: str, **keys: Any) -> Any:
    """A backend of the kind that finds every model at /models."""
    backend = load(kind, KINDS)
    settings = backend.Settings.model_validate({"id": "box", "kind": kind, **keys})
    return backend(settings, Resources(find_model=lambda name: Path("/models") / name, scratch=Path("/scratch")))


async def asked(kind: str, key: str, value: Any, **body: Any) -> Request:
    """The request that its server gets for a chat."""
    async with HttpServer() as server:
        server.script = lambda _: Json({}, status=500)
        url = f"{server.url}{value}" if key == "url" else server.url
        keys = {key: value} if value is not None else {}
        backend = make(kind, **{**KINDS_UNDER_TEST[kind].settings, **keys, "url": url})
        await backend.start()
        try:
            async for _ in stream(backend, job(Capability.CHAT, **body)):
                """Nothing comes."""
        except BackendError:
            pass
        await backend.stop()
    return server.requests[0]


def path_of(kind: str) -> Observe:
    async def observe(value: str) -> str:
        return (await asked(kind, "url", value)).path

    return observe


def header_of(kind: str, key: str, name: str) -> Observe:
    async def observe(value: str) -> str | None:
        return (await asked(kind, key, value)).headers.get(name)

    return observe


def body_of(kind: str, key: str, name: str) -> Observe:
    async def observe(value: Any) -> Any:
        return (await asked(kind, key, value)).body.get(name)

    return observe


def settled(kind: str, key: str, **more: Any) -> Callable[[Any], Awaitable[Lane]]:
    """The backend's lane, once its program has said how it is."""

    async def observe(value: Any) -> Lane:
        keys = {**more, key: value}
        backend = make(kind, **keys)
        settings = load(kind, KINDS).Settings.model_validate({"id": "box", "kind": kind, **keys})
        lane = Lane(backend, settings, FakeClock())
        prober = Prober(lane, FakeClock())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(TELLERS))
            await prober.start()
            async with asyncio.timeout(20):
                await prober.settled.wait()
            await prober.stop()
        return lane

    return observe


def told_llamacpp(key: str, fact: str, **more: Any) -> Observe:
    """A fact that its program got: the server lists a model of that name."""

    async def observe(value: Any) -> Any:
        lane = await settled("llamacpp", key, **more)(value)
        return json.loads(next(iter(lane.models)))[fact]

    return observe


def told_openvino(key: str, *words: str, **more: Any) -> Observe:
    """Which of the words its engine heard."""

    async def observe(value: Any) -> str:
        lane = await settled("openvino", key, **{"model": "tiny", **more})(value)
        return " ".join(word for word in words if word in lane.breaker.reason)

    return observe


async def anthropic_hardware(value: str | None) -> Hardware:
    keys = {"hardware": value} if value else {}
    hardware: Hardware = make("anthropic", api_key="sk-secret", **keys).profile.hardware
    return hardware


async def openai_continuations(value: str) -> list[str]:
    """Of a server that names nobody it knows as the owner of its models."""
    return sorted(make("openai", url="http://localhost", continues=value).continuations)


async def anthropic_continuations(value: bool) -> list[str]:
    return sorted(make("anthropic", api_key="sk-secret", prefill=value).continuations)


async def llamacpp_capabilities(value: bool) -> list[str]:
    return sorted(make("llamacpp", model="tiny", embeddings=value).profile.honours)


async def names_a_slot(value: str | None) -> bool:
    """Whether llama.cpp is told which slot to use."""
    async with LlamaCppServer() as server:
        backend = make("llamacpp", url=server.url, slot_directory=value)
        await backend.start()
        await backend.probe()
        async for _ in backend.chat(job(Capability.CHAT)):
            """Only the request counts."""
        await backend.stop()
    return "id_slot" in server.requests[-1].body


async def can_be_cut(value: bool | None) -> list[str]:
    return sorted(make("static_embeddings", model="tiny", matryoshka=value).profile.honours[Capability.EMBED])


async def table(value: str) -> str:
    """Which model it looks for."""
    looked_for: list[str] = []

    def find_model(name: str) -> Path:
        looked_for.append(name)
        return Path("/nowhere")

    kind = load("static_embeddings", KINDS)
    settings = kind.Settings.model_validate({"id": "box", "kind": "static_embeddings", "model": value})
    backend = kind(settings, Resources(find_model, Path()))
    await backend.start()
    await backend.stop()
    return looked_for[0]


PROOFS: dict[str, dict[str, Proof]] = {
    "openai": {
        "url": Proof(path_of("openai"), [("/v1", "/v1/chat/completions"), ("/api", "/api/chat/completions")]),
        "api_key": Proof(
            header_of("openai", "api_key", "authorization"), [("one", "Bearer one"), ("two", "Bearer two")]
        ),
        "continues": Proof(
            openai_continuations,
            [("auto", []), ("continue_final_message", ["prefill"]), ("prefix", ["prefill"]), ("none", [])],
        ),
    },
    "anthropic": {
        "hardware": Proof(anthropic_hardware, [(None, Hardware.CLOUD), ("nvidia", Hardware.NVIDIA)]),
        "url": Proof(path_of("anthropic"), [("/v1", "/v1/messages"), ("/proxy/v1", "/proxy/v1/messages")]),
        "api_key": Proof(header_of("anthropic", "api_key", "x-api-key"), [("one", "one"), ("two", "two")]),
        "version": Proof(
            header_of("anthropic", "version", "anthropic-version"),
            [("2023-06-01", "2023-06-01"), ("2026-10-21", "2026-10-21")],
        ),
        "default_max_tokens": Proof(body_of("anthropic", "default_max_tokens", "max_tokens"), [(None, 4096), (99, 99)]),
        "prefill": Proof(anthropic_continuations, [(False, []), (True, ["prefill"])]),
    },
    "ollama": {
        "url": Proof(path_of("ollama"), [("", "/api/chat"), ("/proxied", "/proxied/api/chat")]),
        "keep_alive": Proof(body_of("ollama", "keep_alive", "keep_alive"), [(None, None), ("5m", "5m"), (-1, -1)]),
    },
    "llamacpp": {
        "model": Proof(told_llamacpp("model", "model"), [("a", "/models/a"), ("b", "/models/b")]),
        "url": Proof(path_of("llamacpp"), [("", "/v1/chat/completions"), ("/x", "/x/v1/chat/completions")]),
        "api_key": Proof(
            header_of("llamacpp", "api_key", "authorization"), [("one", "Bearer one"), ("two", "Bearer two")]
        ),
        "slot_directory": Proof(names_a_slot, [(None, False), ("/slots", True)]),
        "threads": Proof(told_llamacpp("threads", "threads", model="tiny"), [(1, 1), (3, 3)]),
        "embeddings": Proof(llamacpp_capabilities, [(False, ["chat", "complete"]), (True, ["embed"])]),
        "concurrency": Proof(told_llamacpp("concurrency", "slots", model="tiny"), [(1, 1), (3, 3)]),
    },
    "openvino": {
        "model": Proof(told_openvino("model", "with one", "with two"), [("one", "with one"), ("two", "with two")]),
        "device": Proof(told_openvino("device", "on CPU", "on AUTO"), [("CPU", "on CPU"), ("AUTO", "on AUTO")]),
        "batching": Proof(told_openvino("batching", "batching", "stateful"), [(True, "batching"), (False, "stateful")]),
        "threads": Proof(told_openvino("threads", "THREADS', 3", "THREADS"), [(None, ""), (3, "THREADS', 3 THREADS")]),
        "compile_cache": Proof(told_openvino("compile_cache", "CACHE_DIR"), [(None, ""), ("/compiled", "CACHE_DIR")]),
        "concurrency": Proof(
            told_openvino("concurrency", "slots', 3", "slots', 5"), [(3, "slots', 3"), (5, "slots', 5")]
        ),
    },
    "static_embeddings": {
        "model": Proof(table, [("wordllama-256", "wordllama-256"), ("other", "other")]),
        "matryoshka": Proof(can_be_cut, [(None, []), (True, ["dimensions"])]),
    },
}
