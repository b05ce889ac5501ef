"""What the tests of doubted answers share: models that are sure or not of what they say, and a simple calibration.

The models are called by their size and stand behind one alias, the smallest first.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from config.settings import Settings
from tests.contract.handoff import asked, assert_one_answer, usage_of
from tests.contract.house import House, Wall, simulated
from tests.fakes.clock import FakeClock
from tests.fakes.openai_server import PROMPT_TOKENS
from tests.fakes.telling_server import TellingServer
from tests.routers.running import CHAT, Streamed, backend, serving

#: Mean log-probabilities; by the calibration below an answer is right with 1 + a quarter of that. Only the least of
#: them is under a quarter of what is wanted here, so that an answer is not heard to its end.
SURE, FAIR, DOUBTFUL, UNSURE = -0.2, -1.6, -2.8, -3.6
LIKELY, HALF, LITTLE, UNLIKELY = 0.95, 0.6, 0.3, 0.1

MODELS = {"tiny": "tiny-1b", "big": "big-8b", "huge": "huge-70b"}
FALSE = ("The", " capital", " of", " Australia", " is", " Sydney", ",", " by", " the", " sea", ".")
TRUE = ("It", " is", " Canberra", ",", " in", " the", " hills", ",", " far", " from", " the", " sea", ".")
ALSO_TRUE = ("Canberra", ",", " and", " nothing", " but", " Canberra", ",", " is", " the", " capital", ".")
SAID = {"tiny": FALSE, "big": TRUE, "huge": ALSO_TRUE}
#: The first look comes before the shortest of those answers ends.
WATCHED = {"min_confidence": 0.7, "hold_tokens": 8}

TOLD = {"backend", "model", "result", "tokens", "opinions", "confidence", "by", "signals", "notes"}


def calibration(tmp_path: Path, **changes: Any) -> Path:
    """A file that knows one signal of whole answers, and one of their beginnings."""
    curve = {"scores": [-4, 0], "probabilities": [0, 1]}
    common = {"intercept": 0, "curve": curve, "models": ["*"], "workloads": ["*"], "labels": 600}
    tree = {
        "version": 1,
        "fits": [
            {"name": name, "features": {signal: {"weight": 1, "mean": 0, "scale": 1}}, "beginnings": early, **common}
            for name, signal, early in [("whole", "logprob_mean", False), ("begun", "group_min", True)]
        ],
        "defects": {
            name: {"factor": 0.1, "labels": 9} for name in ("empty", "refusal", "loop", "bad_schema", "bad_json")
        },
        "priors": {},
        **changes,
    }
    file = tmp_path / "calibration.json"
    file.write_text(json.dumps(tree))
    return file


@dataclass(frozen=True)
class Doubting(House):
    """`servers` are by backend id: tiny, big and huge."""

    servers: Mapping[str, TellingServer]

    async def get(
        self, path: str = CHAT, *, stream: bool = False, headers: Mapping[str, str] | None = None, **changes: Any
    ) -> Heard:
        """An answer to its end; its record too."""
        body = {"model": "fast", **asked(path, stream=stream), **changes}
        response = await self.ask(path, headers, **body)
        assert response.status_code == 200, response.text
        return Heard(response, await self.record(response), stream=stream)

    def asked_to_write(self, *names: str) -> list[int]:
        """How often each of these backends was asked for an answer."""
        return [len(self.servers[name].asked_to_write) for name in names or self.servers]

    def busy(self) -> int:
        """Places that are taken."""
        return sum(lane.busy for lane in self.gateway.gateway.lanes.values())

    async def counted(self, name: str, **labels: str) -> float:
        """What /metrics has of that."""
        lines = (await self.gateway.get("/metrics")).text.splitlines()
        found = [line for line in lines if line.startswith(f"{name}{{")]
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(line.rpartition(" ")[2]) for line in found if all(each in line for each in wanted))


class Heard:
    """An answer as its client has it, in either form, and what its record says."""

    def __init__(self, response: httpx.Response, record: Mapping[str, Any], *, stream: bool) -> None:
        self.response, self.record, self.headers = response, record, response.headers
        if stream:
            self.streamed = Streamed(response)
            assert_one_answer(self.streamed)
            self.text, self.finish_reasons = self.streamed.text, self.streamed.finish_reasons
            self.usage, self.model = usage_of(self.streamed), self.streamed.events[0]["model"]
            self.logprobs = [choice["logprobs"] for choice in self.streamed.choices if choice.get("logprobs")]
            return
        told = response.json()
        (choice,) = told["choices"]
        self.text = choice["message"]["content"] if "message" in choice else choice["text"]
        self.finish_reasons, self.usage, self.model = [choice["finish_reason"]], told.get("usage"), told["model"]
        self.logprobs = [choice["logprobs"]] if choice["logprobs"] else []

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """As the record has them."""
        told: list[dict[str, Any]] = self.record["answers"]
        assert all(set(each) == TOLD for each in told)
        return told

    @property
    def results(self) -> list[tuple[str, str]]:
        """Who was asked, and what was thought of the answer."""
        return [(each["backend"], each["result"]) for each in self.attempts]

    def assert_is(self, name: str) -> None:
        """All that this backend has to say, and nothing of the others."""
        self.assert_says(SAID[name], MODELS[name])

    def assert_says(self, words: Sequence[str], model: str) -> None:
        assert self.text == "".join(words)
        assert self.finish_reasons == ["stop"]
        assert self.model == model
        total = PROMPT_TOKENS + len(words)
        told = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": len(words), "total_tokens": total}
        assert self.usage == told


@asynccontextmanager
async def doubting(
    tmp_path: Path,
    *names: str,
    policy: Mapping[str, Any] | None = WATCHED,
    more: Mapping[str, Mapping[str, Any]] | None = None,
    zoned: Sequence[str] = (),
    clock: FakeClock | None = None,
    **sections: Any,
) -> AsyncIterator[Doubting]:
    """`policy` is for the alias; `more` is what is set for one backend, and those that are `zoned` have a zone each."""
    clock, wall = clock or FakeClock(), Wall()
    confidence = {"calibration": calibration(tmp_path), **sections.pop("confidence", {})}
    if policy is not None:
        confidence.setdefault("forwarding", {"fast": policy})
    routing = {"aliases": {"fast": list(MODELS.values())}, **sections.pop("routing", {})}
    async with AsyncExitStack() as stack:
        servers: dict[str, TellingServer] = {}
        told = []
        for place, name in enumerate(names or ("tiny", "big")):
            sure = [UNSURE if name == "tiny" else SURE]
            server = await stack.enter_async_context(TellingServer(MODELS[name], SAID[name], sure))
            servers[name] = server
            where = {"zone": name} if name in zoned else {}
            usual = {"tier": place, "health": {"failures": 100}, **where}
            told.append({**backend("openai", server, id=name, api_key=None), **usual, **(more or {}).get(name, {})})
        zones = [simulated(name) for name in zoned]
        settings = Settings(
            server={"port": 0, **sections.pop("server", {})},
            backends=told,
            zones=zones,
            confidence=confidence,
            routing=routing,
            **sections,
        )
        gateway = await stack.enter_async_context(serving(settings, clock=clock, local_time=wall))
        yield Doubting(gateway, servers, clock, wall)
