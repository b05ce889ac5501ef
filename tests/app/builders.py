"""Jobs, candidates and events as small as a test wants them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import orjson

from app.domain.backend import Candidate, Capability, Hardware, ModelPatterns, Profile, ServedModel
from app.domain.decision import Decision, Route
from app.domain.job import Job
from app.domain.mode import Conditions, Mode
from app.domain.parameters import OFFICIAL
from app.domain.sse import encode, payloads
from app.domain.thermal import Reading, ThermalState, TripPoints, Zone
from app.relay.answer import Answer
from backends.lane import Lane
from tests.fakes.backend import ScriptedBackend, ScriptedSettings
from tests.fakes.clock import FakeClock

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_764_000_000, "model": "small"}
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


def job(capability: Capability = Capability.CHAT, model: str = "small", **facts: Any) -> Job:
    body: Mapping[str, Any] = {"model": model, **facts.pop("body", {"messages": []})}
    return Job(facts.pop("request_id", "request-1"), capability, model, body, **facts)


def profile(name: str = "box", **facts: Any) -> Profile:
    told: dict[str, Any] = {
        "kind": "scripted",
        "hardware": Hardware.CPU,
        "tier": 0,
        "patterns": ModelPatterns(),
        "honours": dict(OFFICIAL),
        "concurrency": 4,
        "queue": 8,
        **facts,
    }
    return Profile(id=name, **told)


def candidate(name: str = "box", model: ServedModel | str = "small", **facts: Any) -> Candidate:
    """Facts about the backend are those of `Profile`, all others, and `zone`, those of `Candidate`."""
    of_profile = {key: facts.pop(key) for key in tuple(facts) if key in Profile.__slots__ and key != "zone"}
    heated: Zone | None = facts.get("zone")
    served = ServedModel(model) if isinstance(model, str) else model
    return Candidate(profile(name, zone=heated and heated.id, **of_profile), served, **facts)


def zone(name: str = "gpu", celsius: float | None = 50.0, **facts: Any) -> Zone:
    """In the state that its temperature makes it; facts about the measurement are those of `Reading`."""
    of_reading = {key: facts.pop(key) for key in tuple(facts) if key in Reading.__slots__}
    trips = facts.setdefault("trips", TripPoints())
    facts.setdefault("state", _state(celsius, trips))
    return Zone(name, since=0.0, reading=Reading(0.0, celsius=celsius, **of_reading), **facts)


def _state(celsius: float | None, trips: TripPoints) -> ThermalState:
    if celsius is None:
        return ThermalState.UNKNOWN
    points = {
        ThermalState.SHUTDOWN: trips.shutdown,
        ThermalState.CRITICAL: trips.critical,
        ThermalState.WARNING: trips.warning,
    }
    return next((state for state, point in points.items() if celsius >= point), ThermalState.NOMINAL)


def mode(name: str = "any", **facts: Any) -> Mode:
    """A mode that allows everything, and likes what the other builders make best."""
    order = (Hardware.CPU, *(each for each in Hardware if each is not Hardware.CPU))
    told: dict[str, Any] = {"order": order, "max_watts": None, "max_fan_percent": 100, "max_celsius": 1000, **facts}
    return Mode(name, **told)


def conditions(now: Mode | None = None, **facts: Any) -> Conditions:
    """The mode in force is also the quick and the frugal one, where they are not told."""
    now = now or mode()
    told: dict[str, Any] = {"why": "a test wants it", "quick": now, "frugal": now, **facts}
    return Conditions(now, **told)


def lane(name: str = "box", clock: FakeClock | None = None, **settings: Any) -> tuple[Lane, ScriptedBackend]:
    """A lane that has found its models and is well."""
    told = ScriptedSettings.model_validate({"id": name, **settings})
    backend = ScriptedBackend(told)
    made = Lane(backend, told, clock or FakeClock())
    made.found((ServedModel("small"),))
    made.breaker.probed()
    return made, backend


def decision(*lanes: Lane, model: str = "small") -> Decision:
    return Decision(tuple(Route(each.candidate(model, each.models.get(model), 0), (), 0.0) for each in lanes))


def event(*choices: Mapping[str, Any], **more: Any) -> bytes:
    """One event of a chat, as it goes on the wire."""
    return encode(orjson.dumps({**HEAD, "choices": choices, **more}))


def delta(content: str | None = None, *, index: int = 0, finish_reason: str | None = None, **more: Any) -> bytes:
    """An event that says something."""
    said = {**({} if content is None else {"content": content}), **more}
    return event({"index": index, "delta": said, "finish_reason": finish_reason})


def usage_event(usage: Mapping[str, Any] = USAGE) -> bytes:
    return event(usage=usage)


def told(blocks: Iterable[bytes]) -> list[dict[str, Any]]:
    """The events of the blocks, without `[DONE]`."""
    return [orjson.loads(data) for data in payloads(b"".join(blocks)) if data != b"[DONE]"]


async def blocks_of(answer: Answer) -> AsyncIterator[bytes]:
    """What a client is sent, block by block."""
    yield answer.first
    while not answer.complete:
        if block := await answer.next():
            yield block
