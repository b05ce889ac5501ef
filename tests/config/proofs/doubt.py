"""Proofs for the keys that are about doubting answers, and about what another one may cost.

Models tiny, big and huge stand behind the name "fast"; how sure each is of its words is up to the proof.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from app.domain.job import Job
from app.main import create_app
from app.telemetry.decisions import Record
from backends.lane import Lane
from config.settings import Settings
from tests.app.builders import delta, event, job
from tests.config.proofs.other import Ours
from tests.config.proofs.proof import CHAT, Proof, gateway, script_of
from tests.fakes.backend import Script, Step
from tests.fakes.clock import FakeClock

MODELS = {"tiny": "tiny-1b", "big": "big-8b", "huge": "huge-70b"}
ALIASES = {"aliases": {"fast": list(MODELS.values())}}
SURE, UNSURE = -0.2, -3.6  # that unsure, an answer is not heard to its end
OURS, THEIRS = "tests.config.proofs.other:Ours", "tests.config.proofs.other:Theirs"
#: The mode that holds by default has nothing against the warmth of a zone in the warning state.
WARM = {"id": "gpu", "sensor": {"kind": "simulated", "celsius": 80}}


@contextmanager
def calibrated() -> Iterator[Path]:
    """A file by which an answer is right with 1 + a quarter of its mean log-probability."""
    curve = {"scores": [-4, 0], "probabilities": [0, 1]}
    common = {"intercept": 0, "curve": curve, "models": ["*"], "workloads": ["*"], "labels": 600}
    features = {"logprob_mean": {"weight": 1, "mean": 0, "scale": 1}}
    fits = [{"name": "mine", "features": features, "beginnings": early, **common} for early in (False, True)]
    with TemporaryDirectory() as directory:
        file = Path(directory, "calibration.json")
        file.write_text(json.dumps({"version": 1, "fits": fits, "defects": {}, "priors": {}}))
        yield file


def said(word: str, logprob: float | None) -> bytes:
    told = None if logprob is None else {"content": [{"token": word, "logprob": logprob, "top_logprobs": []}]}
    return event({"index": 0, "delta": {"content": word}, "logprobs": told, "finish_reason": None})


def saying(words: int, **sure: float | None) -> Script:
    """Each says its own name so often; all but those that are told here are sure of that. None tells nothing."""

    def script(asked: Job) -> Iterable[Step]:
        name = next(name for name, model in MODELS.items() if model == asked.body["model"])
        word = said(f"{name} ", sure.get(name, SURE))
        return [delta("", role="assistant"), *[word] * words, delta(finish_reason="stop")]

    return script


def halting(steps: int, script: Script) -> Script:
    """The script, with a pause after so many steps in which everybody else can do what they have to."""

    def halts(asked: Job) -> Iterable[Step]:
        go_on, told = asyncio.Event(), list(script(asked))
        asyncio.get_running_loop().call_later(0.02, go_on.set)
        return [*told[:steps], go_on, *told[steps:]]

    return halts


@dataclass(frozen=True)
class House:
    client: httpx.AsyncClient
    lanes: Mapping[str, Lane]

    async def ask(self, **changes: Any) -> httpx.Response:
        body = {"model": "fast", "messages": [{"role": "user", "content": "Hi"}], **changes}
        return await self.client.post(CHAT, json=body)

    async def answers(self, response: httpx.Response) -> list[dict[str, Any]]:
        """As the record has them."""
        record = await self.client.get(f"/admin/decisions/{response.headers['x-request-id']}")
        found: list[dict[str, Any]] = record.json()["answers"]
        return found


def backends(more: Mapping[str, Mapping[str, Any]] | None = None) -> list[dict[str, Any]]:
    return [
        {"id": name, "kind": OURS, "models": [model], "tier": place, **(more or {}).get(name, {})}
        for place, (name, model) in enumerate(MODELS.items())
    ]


@asynccontextmanager
async def doubting(
    script: Script, confidence: Mapping[str, Any], more: Mapping[str, Mapping[str, Any]] | None = None, **tree: Any
) -> AsyncIterator[House]:
    with calibrated() as file:
        told = {"calibration": file, **confidence}
        settings = Settings(backends=backends(more), routing=ALIASES, confidence=told, **tree)
        app = create_app(settings, Path)
        async with app.router.lifespan_context(app):
            await app.state.serving.settled()
            lanes: Mapping[str, Lane] = app.state.serving.gateway.lanes
            for lane in lanes.values():
                script_of(lane).script = script
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
                yield House(client, lanes)


def policy(**keys: Any) -> dict[str, Any]:
    return {"forwarding": {"fast": {"min_confidence": 0.7, **keys}}}


async def used(script: Script, confidence: Mapping[str, Any], more: Any = None, **tree: Any) -> str:
    """Whose answer it is in the end."""
    asked = tree.pop("asked", {})
    async with doubting(script, confidence, more, **tree) as house:
        return (await house.ask(**asked)).headers["x-backend-used"]


async def estimates(value: str) -> list[bool]:
    """Whether an answer of ours, and one of theirs, says how likely it is right."""
    told = []
    for kind in (OURS, THEIRS):
        async with doubting(saying(3), {"estimates": value}, {"tiny": {"kind": kind}}) as house:
            told.append("x-confidence" in (await house.ask()).headers)
    return told


async def calibration_(value: str | None) -> bool:
    """Whether it is by that file that an answer is judged."""
    confidence = {} if value == "mine" else {"calibration": value}
    async with doubting(saying(3), confidence) as house:
        (answer,) = await house.answers(await house.ask())
    return bool(answer["by"] == "mine")


async def prior(value: float) -> str:
    """How likely an answer is right of which nothing is known."""
    async with doubting(saying(3, tiny=None), {"prior": value}) as house:
        return (await house.ask()).headers["x-confidence"]


async def min_confidence(value: float | None) -> str:
    return await used(saying(3, tiny=UNSURE), policy(min_confidence=value))


async def mode(value: str) -> tuple[bool, bool]:
    """Whether the client of a doubted stream has seen its beginning, and knows beforehand how good the answer is."""
    keys = policy(mode=value, hold_tokens=8)
    async with doubting(halting(16, saying(20, tiny=UNSURE)), keys, handoff={"max_moves": 0}) as house:
        response = await house.ask(stream=True)
    return '"tiny ' in response.text, "x-confidence" in response.headers


async def max_retries(value: int) -> str:
    async with doubting(saying(3, tiny=UNSURE, big=UNSURE, huge=UNSURE), policy(max_retries=value)) as house:
        return (await house.ask()).headers["x-attempts"]


async def escalation_path(value: list[str]) -> str:
    return await used(saying(3, tiny=UNSURE), policy(escalation_path=value))


async def respect_thermal_limits(value: bool) -> str:
    script, keys = saying(3, tiny=UNSURE, huge=UNSURE), policy(respect_thermal_limits=value, escalation_path=["big-8b"])
    return await used(script, keys, {"big": {"zone": "gpu"}}, zones=[WARM])


async def return_best_attempt(value: bool) -> int:
    async with doubting(saying(3, tiny=UNSURE), policy(return_best_attempt=value, max_retries=0)) as house:
        return (await house.ask()).status_code


async def max_joules(value: float | None) -> str:
    """Of an answer that might be forwarded to who has answered once already, so that it is known what that takes."""
    keys = policy(max_joules=value, escalation_path=["big-8b"])
    async with doubting(saying(3, tiny=UNSURE), keys, {"big": {"watts": 50}}) as house:
        house.lanes["big"].ended(MODELS["big"], 9.0, 10, 10.0)
        house.lanes["big"].cost(MODELS["big"], 30.0, 10, 10.0)
        return (await house.ask(max_tokens=10)).headers["x-backend-used"]


async def costing(prompt: float, completion: float, limit: float | None) -> str:
    """Of a question of a thousand tokens, with a hundred for the answer."""
    keys = policy(max_cost=limit, escalation_path=["big-8b"])
    price = {"big": {"price": {"prompt": prompt, "completion": completion}}}
    question = [{"role": "user", "content": "word" * 1000}]
    return await used(saying(3, tiny=UNSURE), keys, price, asked={"max_tokens": 100, "messages": question})


async def max_cost(value: float | None) -> str:
    return await costing(10, 100, value)


async def hold_tokens(value: int) -> int:
    """How much of an answer was written when it was doubted."""
    async with doubting(saying(20, tiny=UNSURE), policy(hold_tokens=value)) as house:
        answers = await house.answers(await house.ask(stream=True))
    return int(answers[0]["tokens"])


class Running(FakeClock):
    """Time goes by."""

    def __call__(self) -> float:
        return time.monotonic()


async def hold_seconds(value: float) -> bool:
    """Whether the first words of an answer that comes to a halt have been sent after a fifth of a second."""
    with calibrated() as file:
        told = {"calibration": file, **policy(hold_seconds=value)}
        made, _ = gateway(Running(), backends=backends(), routing=ALIASES, confidence=told)
    script_of(made.lanes["tiny"]).script = lambda _: [delta("", role="assistant"), said("tiny ", SURE), asyncio.Event()]
    asked = job(model="fast", stream=True)

    async def opened() -> bool:
        await made.relay.open(asked, made.decide(asked), Record(asked, made.clock()), made.relay.watch())
        return True

    opening = asyncio.create_task(opened())
    done, _ = await asyncio.wait([opening], timeout=0.2)
    for answer in list(made.relay.mover.courses):
        await answer.aclose()
    opening.cancel()
    await asyncio.wait([opening])
    return bool(done)


async def kinds_of_opinions(**keys: Any) -> list[str]:
    """What was asked of others about an answer."""
    async with doubting(saying(3), policy(**keys)) as house:
        (answer,) = await house.answers(await house.ask())
    return [opinion["kind"] for opinion in answer["opinions"]]


async def samples(value: int) -> list[str]:
    return await kinds_of_opinions(samples=value)


async def verifier(value: str | None) -> list[str]:
    return await kinds_of_opinions(verifier=value)


async def warm(value: bool) -> int:
    """How often the larger model was let read the prompt."""
    async with doubting(halting(2, saying(3)), policy(warm=value)) as house:
        await house.ask()
        backend = house.lanes["big"].backend
        assert isinstance(backend, Ours)
        return backend.warmed


def price(**of: Callable[[float], tuple[float, float]]) -> dict[str, Proof]:
    """Free, or a tenth of what may be paid for an answer is too much for it."""

    def proof(made: Callable[[float], tuple[float, float]]) -> Proof:
        async def observe(value: float) -> str:
            return await costing(*made(value), 0.05)

        return Proof(observe, [(0, "big"), (10, "big"), (1000, "tiny")])

    return {f"price.{name}": proof(made) for name, made in of.items()}


OF_BACKENDS: dict[str, Proof] = price(prompt=lambda value: (value, 0), completion=lambda value: (0, value))

_OF_POLICIES: dict[str, Proof] = {
    "min_confidence": Proof(min_confidence, [(None, "tiny"), (0.05, "tiny"), (0.7, "big")]),
    "mode": Proof(mode, [("watch", (True, False)), ("hold", (False, False)), ("buffer", (False, True))]),
    "max_retries": Proof(max_retries, [(0, "1"), (1, "2"), (2, "3")]),
    "escalation_path": Proof(escalation_path, [([], "big"), (["huge-70b", "big-8b"], "huge")]),
    "respect_thermal_limits": Proof(respect_thermal_limits, [(True, "tiny"), (False, "big")]),
    "return_best_attempt": Proof(return_best_attempt, [(True, 200), (False, 422)]),
    "max_joules": Proof(max_joules, [(None, "big"), (31, "big"), (29, "tiny")]),
    "max_cost": Proof(max_cost, [(None, "big"), (0.021, "big"), (0.019, "tiny")]),
    "hold_tokens": Proof(hold_tokens, [(4, 4), (8, 8), (16, 16)]),
    "hold_seconds": Proof(hold_seconds, [(0.01, True), (30, False)]),
    "samples": Proof(samples, [(0, []), (2, ["sample", "sample"])]),
    "verifier": Proof(verifier, [(None, []), ("huge-70b", ["verifier"])]),
    "warm": Proof(warm, [(False, 0), (True, 1)]),
}

PROOFS: dict[str, Proof] = {
    "confidence.estimates": Proof(
        estimates, [("local", [True, False]), ("always", [True, True]), ("never", [False, False])]
    ),
    "confidence.calibration": Proof(calibration_, [(None, False), ("mine", True)]),
    "confidence.prior": Proof(prior, [(0.5, "0.5000"), (0.9, "0.9000")]),
    **{f"confidence.forwarding.{key}": proof for key, proof in _OF_POLICIES.items()},
}
