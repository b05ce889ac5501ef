"""Proofs for the keys that every kind of backend has, by a kind that comes from outside."""

from __future__ import annotations

import asyncio
from typing import Any

from app.domain.backend import ServedModel
from app.domain.errors import BackendBusyError, BackendRefusedError, BackendTimeoutError
from app.domain.job import Priority
from app.telemetry.decisions import Record
from backends.lane import Lane
from backends.prober import Prober
from tests.app.builders import blocks_of, delta, job
from tests.backends.kinds import build as build_kind
from tests.config.proofs.proof import CHAT, HELLO, Proof, gateway, script_of, scripted, serving
from tests.fakes.backend import KIND
from tests.fakes.clock import FakeClock
from tests.fakes.full_server import FullServer


async def shown(**keys: Any) -> dict[str, Any]:
    """What /admin/backends says of a backend."""
    async with serving(zones=[{"id": "gpu0"}], backends=[scripted(**keys)]) as client:
        listed: dict[str, Any] = (await client.get("/admin/backends")).json()["data"][0]
    return listed


async def header(name: str, backend: dict[str, Any]) -> str:
    async with serving(backends=[backend]) as client:
        return (await client.post(CHAT, json=HELLO)).headers[name]


async def status(body: dict[str, Any], **keys: Any) -> int:
    async with serving(backends=[scripted(**keys)]) as client:
        return (await client.post(CHAT, json={**HELLO, **body})).status_code


async def id_(value: str) -> str:
    return await header("x-backend-used", scripted(value))


async def kind(value: str) -> str:
    made, _ = gateway(backends=[{**scripted(), "kind": value}])
    return type(made.lanes["box"].backend).__name__


async def hardware(value: str) -> Any:
    return (await shown(hardware=value))["hardware"]


async def zone(value: str | None) -> Any:
    return (await shown(zone=value))["zone"]


async def tier(value: int) -> str:
    """Who is asked first: one of this tier, or one of tier 2."""
    made, _ = gateway(backends=[scripted("other", tier=2), scripted("this", tier=value)])
    return made.decide(job()).routes[0].backend


async def watts(value: float | None) -> str:
    return await header("x-estimated-power-watts", scripted(watts=value))


async def models(value: list[str]) -> int:
    return await status({}, models=value)


async def excluded(value: list[str]) -> int:
    return await status({}, excluded=value)


async def preferred(value: list[str]) -> str:
    """Which of two backends gets a model that one of them has by choice."""
    made, _ = gateway(backends=[scripted("first", tier=1, preferred=value), scripted("second", tier=1)])
    return made.decide(job()).routes[0].backend


async def max_context(value: int | None) -> int:
    return await status({"messages": [{"role": "user", "content": "word " * 1000}]}, max_context=value)


async def max_model_billions(value: float | None) -> str:
    """Whether it is given a model of eight billion parameters."""
    made, _ = gateway(backends=[scripted(max_model_billions=value)])
    made.lanes["box"].found((ServedModel("llama:8b"),))
    return "given" if made.decide(job(model="llama:8b")).routes else "not given"


def lane(clock: FakeClock | None = None, **keys: Any) -> Lane:
    made, _ = gateway(clock, backends=[scripted(**keys)])
    return made.lanes["box"]


async def concurrency(value: int) -> int:
    """How many of three jobs have a place."""
    box = lane(concurrency=value)
    entering = [asyncio.ensure_future(box.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    for each in entering:
        each.cancel()
    return box.busy


async def queue(value: int) -> str:
    box = lane(concurrency=1, queue=value)
    await box.enter()
    entering = asyncio.ensure_future(box.enter())
    await asyncio.sleep(0)
    if entering.done() and isinstance(entering.exception(), BackendBusyError):
        return "turned away"
    entering.cancel()
    return "waits"


async def ageing_seconds(value: float) -> str:
    """Whose turn it is when one waits for ten seconds and a more urgent one comes then."""
    clock = FakeClock()
    box = lane(clock, concurrency=1, ageing_seconds=value)
    await box.enter()
    patient = asyncio.ensure_future(box.enter(Priority.NORMAL))
    await asyncio.sleep(0)
    clock.advance(10)
    urgent = asyncio.ensure_future(box.enter(Priority.HIGH))
    await asyncio.sleep(0)
    box.leave()
    await asyncio.sleep(0)
    await asyncio.wait([patient, urgent], return_when=asyncio.FIRST_COMPLETED)
    first = "the patient" if patient.done() else "the urgent"
    for each in (patient, urgent):
        each.cancel()
    return first


async def first_pause(box: Lane) -> float:
    """Ask a backend how it is, until the first pause; how long that is."""
    paused: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def pause(seconds: float) -> None:
        paused.set_result(seconds)
        await asyncio.Event().wait()

    prober = Prober(box, FakeClock(), pause)
    await prober.start()
    seconds = await paused
    await prober.stop()
    return seconds


async def warm_up(value: bool) -> int:
    """How many jobs it was given before anybody asked for something."""
    box = lane(warm_up=value)
    await first_pause(box)
    return len(script_of(box).asked)


async def interval_seconds(value: float) -> float:
    return await first_pause(lane(health={"interval_seconds": value}))


async def failures(value: int) -> str:
    """How it is after two failed jobs."""
    clock = FakeClock()
    box = lane(clock, health={"failures": value})
    for _ in range(2):
        box.breaker.failed(clock(), "stalled")
    return box.health()


async def cooldown_seconds(value: float) -> str:
    """How it is ten seconds after its breaker opened."""
    clock = FakeClock()
    box = lane(clock, health={"failures": 1, "cooldown_seconds": value})
    box.breaker.failed(clock(), "stalled")
    clock.advance(10)
    return box.health()


async def connect(value: float) -> str:
    """Whether it is still trying to reach a server that takes nobody, after a fifth of a second."""
    with FullServer() as server:
        backend = build_kind("openai", server.url, timeouts={"connect": value})
        probing = asyncio.create_task(backend.probe())
        await asyncio.wait([probing], timeout=0.2)
        if not probing.done():
            probing.cancel()
            return "still tries"
        assert isinstance(probing.exception(), BackendTimeoutError | BackendRefusedError)
        return "gave up"


async def after_ten_seconds_of_silence(*, begun: bool, **timeouts: float) -> str:
    """What becomes of an answer whose backend says nothing (more) for ten seconds."""
    clock = FakeClock()
    made, watchman = gateway(clock, backends=[scripted(timeouts=timeouts)], handoff={"max_moves": 0})
    asked = job()
    script_of(made.lanes["box"]).script = lambda _: [
        *([delta("Hi", role="assistant")] if begun else []),
        asyncio.Event(),
    ]

    async def carry() -> None:
        watch, record = made.relay.watch(), Record(asked, clock())
        answer = await made.relay.open(asked, made.decide(asked), record, watch)
        async for _ in blocks_of(answer):
            pass

    carrying = asyncio.create_task(carry())
    for _ in range(10):
        await asyncio.sleep(0)
    clock.advance(10)
    watchman.look(clock())
    await asyncio.wait([carrying], timeout=0.05)
    if not carrying.done():
        carrying.cancel()
        return "still waits"
    assert isinstance(carrying.exception(), BackendTimeoutError)
    return "gave up"


async def first_token(value: float) -> str:
    return await after_ten_seconds_of_silence(begun=False, first_token=value)


async def stall(value: float) -> str:
    return await after_ten_seconds_of_silence(begun=True, stall=value)


async def total(value: float) -> str:
    return await after_ten_seconds_of_silence(begun=True, total=value)


GAVE_UP_OR_NOT = [(9, "gave up"), (11, "still waits")]

PROOFS: dict[str, Proof] = {
    "id": Proof(id_, [("eco", "eco"), ("max", "max")]),
    "kind": Proof(kind, [(KIND, "ScriptedBackend"), ("tests.config.proofs.other:Other", "Other")]),
    "hardware": Proof(hardware, [("npu", "npu"), ("cloud", "cloud")]),
    "tier": Proof(tier, [(1, "this"), (3, "other")]),
    "watts": Proof(watts, [(None, "unknown"), (3.5, "3.5")]),
    "zone": Proof(zone, [(None, None), ("gpu0", "gpu0")]),
    "models": Proof(models, [(["sm*"], 200), (["large"], 404)]),
    "preferred": Proof(preferred, [([], "first"), (["large"], "second")]),
    "excluded": Proof(excluded, [([], 200), (["small"], 404)]),
    "max_context": Proof(max_context, [(None, 200), (100, 400)]),
    "max_model_billions": Proof(max_model_billions, [(None, "given"), (8, "given"), (7.5, "not given")]),
    "concurrency": Proof(concurrency, [(1, 1), (2, 2)]),
    "queue": Proof(queue, [(0, "turned away"), (1, "waits")]),
    "ageing_seconds": Proof(ageing_seconds, [(9, "the patient"), (11, "the urgent")]),
    "warm_up": Proof(warm_up, [(False, 0), (True, 1)]),
    "timeouts.connect": Proof(connect, [(0.05, "gave up"), (30, "still tries")]),
    "timeouts.first_token": Proof(first_token, GAVE_UP_OR_NOT),
    "timeouts.stall": Proof(stall, GAVE_UP_OR_NOT),
    "timeouts.total": Proof(total, GAVE_UP_OR_NOT),
    "health.interval_seconds": Proof(interval_seconds, [(10, 10), (3, 3)]),
    "health.failures": Proof(failures, [(2, "open"), (3, "closed")]),
    "health.cooldown_seconds": Proof(cooldown_seconds, [(9, "half_open"), (11, "open")]),
}
