"""An OpenVINO backend under test: jobs for it, and its answers taken apart."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from app.domain.backend import Capability
from app.domain.errors import BackendRefusedError
from app.domain.handoff import Begun
from app.domain.job import Job
from app.domain.sse import payloads
from backends.base import Resources
from backends.openvino import OpenVino, OpenVinoSettings

STORY = [{"role": "user", "content": "Write a very long story about a dog who sails around the world."}]


@dataclass(frozen=True)
class Told:
    """A whole answer, taken apart."""

    events: list[dict[str, Any]]
    done: bytes

    @property
    def choices(self) -> list[dict[str, Any]]:
        return [choice for event in self.events for choice in event["choices"]]

    @property
    def text(self) -> str:
        return "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in self.choices)

    @property
    def finish(self) -> list[str]:
        return [choice["finish_reason"] for choice in self.choices if choice["finish_reason"]]

    @property
    def usage(self) -> dict[str, int]:
        usage: dict[str, int] = self.events[-1]["usage"]
        return usage


def logprobs(told: Told) -> list[dict[str, Any]]:
    return [entry for choice in told.choices if choice["logprobs"] for entry in choice["logprobs"]["content"]]


def settings(**given: Any) -> OpenVinoSettings:
    return OpenVinoSettings.model_validate({"id": "arc", "kind": "openvino", "model": "smol", "threads": 2, **given})


def make(model: Path, scratch: Path, **given: Any) -> OpenVino:
    return OpenVino(settings(**given), Resources(find_model=lambda _: model, scratch=scratch))


def job(capability: Capability = Capability.CHAT, **body: Any) -> Job:
    return Job("request", capability, "smol", {"model": "smol", "temperature": 0, **body})


def says(order: str, **body: Any) -> Job:
    """A chat whose answer the stand-in takes from the prompt."""
    return job(messages=[{"role": "user", "content": order + "|"}], **body)


async def tell(backend: OpenVino, wanted: Job, begun: Begun | None = None) -> Told:
    """The answer; with `begun`, what comes after that."""
    answer = backend.complete if wanted.capability is Capability.COMPLETE else backend.chat
    async with aclosing(answer(wanted) if begun is None else backend.prefill(wanted, begun)) as blocks:
        found = payloads(b"".join([block async for block in blocks]))
    return Told([orjson.loads(data) for data in found[:-1]], found[-1])


async def until_ready(backend: OpenVino, *, after: int | None = None) -> None:
    """Until its program is ready; with `after`, a program that came after that one."""
    async with asyncio.timeout(60):
        while True:
            if await is_ready(backend) and backend.pid != after:
                return
            await asyncio.sleep(0.02)  # nothing but the program itself tells when it is ready


async def is_ready(backend: OpenVino) -> bool:
    try:
        await backend.probe()
    except BackendRefusedError:
        return False
    return True
