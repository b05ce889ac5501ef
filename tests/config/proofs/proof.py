"""How it is shown that a key is read: with each value of it something else is observed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from app.domain.job import Job
from app.gateway import Gateway
from app.main import create_app
from app.relay.watch import Watchman
from app.telemetry.decisions import Decisions
from app.wiring import Parts, build, surroundings
from backends.base import Resources
from backends.lane import Lane
from config.settings import Settings
from tests.app.builders import delta
from tests.fakes.backend import KIND, Script, ScriptedBackend
from tests.fakes.clock import FakeClock

CHAT = "/v1/chat/completions"
NOON = datetime(2026, 7, 14, 12, 0)  # noqa: DTZ001 (local time, as the modes have it)
HELLO = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}


@dataclass(frozen=True)
class Proof:
    """`cases` are values of the key, each with what `observe` sees then."""

    observe: Callable[[Any], Awaitable[Any]]
    cases: Sequence[tuple[Any, Any]]


def say_hi(_: Job) -> Iterable[bytes]:
    return [delta("Hi", role="assistant"), delta(finish_reason="stop")]


def scripted(name: str = "box", **more: Any) -> dict[str, Any]:
    return {"id": name, "kind": KIND, **more}


def gateway(clock: FakeClock | None = None, **tree: Any) -> tuple[Gateway, Watchman]:
    """A gateway that is not started, with every backend well, at noon."""
    clock = clock or FakeClock()
    watchman = Watchman(15.0, clock)
    parts = Parts.of(Resources(Path, Path()), watchman, Decisions(10), clock, lambda: NOON)
    made = build(Settings(**tree), parts)
    parts.mover.around = surroundings(made)
    for lane in made.lanes.values():
        backend = script_of(lane)
        backend.script = say_hi
        lane.found(backend.served if isinstance(backend.served, tuple) else ())
        lane.breaker.probed()
    return made, watchman


def script_of(lane: Lane) -> ScriptedBackend:
    assert isinstance(lane.backend, ScriptedBackend)
    return lane.backend


@asynccontextmanager
async def serving(script: Script = say_hi, **tree: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a whole gateway in this process, whose backends keep to a script; one, "box", when none is given."""
    app = create_app(Settings(**{"backends": [scripted()], **tree}), Path)
    async with app.router.lifespan_context(app):
        await app.state.serving.settled()
        for lane in app.state.serving.gateway.lanes.values():
            script_of(lane).script = script
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            yield client
