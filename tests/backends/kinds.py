"""The kinds that must keep the promises of `backends.base`, each with the fake that it talks to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from app.domain.backend import Capability
from app.domain.job import Job
from app.domain.sse import payloads
from app.loader import load
from backends.base import KINDS, Resources
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.llamacpp_server import LlamaCppServer
from tests.fakes.model_server import ModelServer
from tests.fakes.ollama_server import OllamaServer
from tests.fakes.openai_server import OpenAiServer

KEY = "sk-very-secret"
STREAMED = {Capability.CHAT: "chat", Capability.COMPLETE: "complete"}


@dataclass(frozen=True)
class KindUnderTest:
    """`path` is what its base URL has after the server's, `settings` what it must be told besides."""

    server: Callable[..., ModelServer]
    path: str = ""
    settings: Mapping[str, Any] = field(default_factory=lambda: {"api_key": KEY})


#: One line for each kind.
KINDS_UNDER_TEST = {
    "anthropic": KindUnderTest(AnthropicServer, path="/v1"),
    "llamacpp": KindUnderTest(LlamaCppServer),
    "ollama": KindUnderTest(OllamaServer, settings={}),
    "openai": KindUnderTest(OpenAiServer, path="/v1"),
}


def build(kind: str, url: str, **settings: Any) -> Any:
    """A backend named "box" of that kind, for a server at that URL."""
    under_test = KINDS_UNDER_TEST[kind]
    made = load(kind, KINDS)
    told = {"id": "box", "kind": kind, "url": url + under_test.path, **under_test.settings, **settings}
    return made(made.Settings.model_validate(told), Resources(find_model=Path, scratch=Path()))


def capabilities(kind: str) -> frozenset[Capability]:
    return frozenset(build(kind, "http://localhost").profile.honours)


def ways() -> list[tuple[str, Capability]]:
    """Every kind with every capability of its own that streams."""
    return [(kind, way) for kind in KINDS_UNDER_TEST for way in STREAMED if way in capabilities(kind)]


def job(capability: Capability, model: str = "small", **more: Any) -> Job:
    prompts: dict[Capability, dict[str, Any]] = {
        Capability.CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
        Capability.COMPLETE: {"prompt": "Hi"},
        Capability.EMBED: {"input": ["Hi", "Ho"]},
    }
    return Job("request-1", capability, model, {"model": model, **prompts[capability], **more})


def stream(backend: Any, asked: Job) -> AsyncGenerator[bytes, None]:
    """What the backend answers to the job, as it comes."""
    answers: AsyncGenerator[bytes, None] = getattr(backend, STREAMED[asked.capability])(asked)
    return answers


def events(blocks: bytes) -> list[dict[str, Any]]:
    """The events, without `[DONE]`."""
    return [orjson.loads(data) for data in payloads(blocks) if data != b"[DONE]"]


def text(told: list[dict[str, Any]]) -> str:
    """What the events of a chat or a completion say."""
    choices = [choice for event in told for choice in event["choices"]]
    return "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices)
