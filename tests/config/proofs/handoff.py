"""Proofs for the keys that are about moving a running answer."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from app.domain.backend import Capability
from app.domain.errors import BackendBusyError, StreamBrokenError
from app.domain.job import Job
from app.domain.sse import encode
from app.lifecycle import Lifecycle
from app.telemetry.decisions import Record
from config.settings import Settings
from tests.app.builders import job
from tests.config.proofs.heat import House
from tests.config.proofs.other import Curious
from tests.config.proofs.proof import Proof, script_of, scripted, serving
from tests.fakes.backend import Script, Step

ASKED = {"model": "small", "prompt": "Tell me"}


def said(text: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish_reason}
    return encode(orjson.dumps({"id": "cmpl-1", "object": "text_completion", "created": 1, "choices": [choice]}))


WHOLE = (said("Once "), said("upon a time", "stop"))
BROKEN = (said("Once "), StreamBrokenError("box", "fell over"))


def breaking(times: int) -> Script:
    """So many answers break off, whoever writes them; then one is written to its end."""
    answers = count()

    def script(_: Job) -> Iterable[Step]:
        return BROKEN if next(answers) < times else WHOLE

    return script


async def outcome(faults: int, names: str, handoff: dict[str, Any]) -> str:
    """What becomes of an answer that so many backends in turn break off."""
    backends = [scripted(name) for name in names]
    async with serving(breaking(faults), backends=backends, handoff=handoff) as client:
        await client.post("/v1/completions", json=ASKED)
        listed = (await client.get("/admin/decisions")).json()
    found: str = listed["data"][0]["outcome"]
    return found


async def max_moves(value: int) -> str:
    return await outcome(2, "abc", {"max_moves": value})


async def max_wait_seconds(value: float) -> str:
    """Of the only backend there is: it can go on itself, a moment later."""
    return await outcome(1, "a", {"max_wait_seconds": value})


async def cooldown_seconds(value: float) -> list[str | None]:
    """Where an answer goes: away from heat, then away from who broke off, a minute later when it is cool again."""
    house = House(zone={"dwell_seconds": 0}, handoff={"cooldown_seconds": value, "max_wait_seconds": 0})
    script_of(house.gateway.lanes["big"]).script = lambda _: WHOLE
    script_of(house.gateway.lanes["small"]).script = lambda _: BROKEN
    house.measure(celsius=40.0)
    asked, relay = job(Capability.COMPLETE, body=ASKED), house.gateway.relay
    record = Record(asked, 0.0)
    answer = await relay.open(asked, house.gateway.decide(asked), record, relay.watch())
    house.measure(celsius=90.0)
    await answer.next()
    house.clock.advance(60)
    house.measure(celsius=40.0)
    with suppress(StreamBrokenError):
        while not answer.complete:
            await answer.next()
    await relay.close(answer, record, None)
    return [handoff.target for handoff in record.handoffs]


async def places(**handoff: int) -> int:
    """How many of four states of a thousand bytes find room."""
    settings = Settings(backends=[{**scripted(), "kind": "tests.config.proofs.other:Curious"}], handoff=handoff)
    lifecycle = Lifecycle(settings, Path, lambda: settings)
    await lifecycle.start()
    backend = lifecycle.gateway.lanes["box"].backend
    assert isinstance(backend, Curious)
    reserved = 0
    with suppress(BackendBusyError):
        for _ in range(4):
            backend.resources.shelf.reserve("box", 1000)
            reserved += 1
    await lifecycle.stop()
    return reserved


async def max_files(value: int) -> int:
    return await places(max_files=value)


async def max_bytes(value: int) -> int:
    return await places(max_bytes=value)


PROOFS: dict[str, Proof] = {
    "handoff.max_moves": Proof(max_moves, [(0, "broken"), (1, "broken"), (2, "completed")]),
    "handoff.cooldown_seconds": Proof(cooldown_seconds, [(30, ["small", "big"]), (120, ["small", None])]),
    "handoff.max_wait_seconds": Proof(max_wait_seconds, [(0, "broken"), (0.05, "completed")]),
    "handoff.max_files": Proof(max_files, [(0, 0), (2, 2), (16, 4)]),
    "handoff.max_bytes": Proof(max_bytes, [(2999, 2), (3000, 3)]),
}
