"""Moves running answers from zone to zone of a gateway, and compares each with the answer that nobody interrupted."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from app.commands.gateway_client import GatewayClient
from app.commands.handoff_figures import Move, divergence
from app.commands.served import BenchFailedError

PROMPTS = (
    "What can you tell me about the sea?",
    "Write a short story about a fox and a crow.",
    "Explain how a refrigerator works.",
    "List ten things to take along on a walk in the mountains.",
    "Why is the sky blue?",
    "Write a polite letter that asks a neighbour to be quieter.",
    "What is the difference between a virus and a bacterium?",
    "Describe the way from a grain of wheat to a loaf of bread.",
    "Write a poem about rain in the city.",
    "How does a bicycle stay upright?",
    "Name the planets and say one thing about each.",
    "Write a Python function that tells whether a number is prime.",
    "What did people do in the evening before there was electric light?",
    "Explain compound interest to a child.",
    "Give me a recipe for vegetable soup.",
    "Who was Marie Curie?",
    "Écris quelques phrases sur Paris.",
    "How do I learn to play the guitar?",
    "What would happen if the moon were gone?",
    "Tell me how a computer adds two numbers.",
)
_COOL_CELSIUS = 30
_PIECES_AFTER = 8  # after the move, that belong to its surroundings
_PIECES_AT_THE_END = 8  # in which no cut is made: the answer would be over first
_BYTES = re.compile(r"^isotherm_handoff_state_bytes_total (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class Reading:
    """One answer as its reader got it: each piece with when it came, by a monotonic clock in seconds."""

    backend: str
    request_id: str
    pieces: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    moved_at: int | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def gaps_ms(self, begin: int = 0, end: int | None = None) -> list[float]:
        """Between the pieces from `begin` to `end`."""
        return [(later - earlier) * 1000 for earlier, later in pairwise(self.times[begin:end])]


class HandoffBench:
    """One gateway with at least two zones that can be heated. The zone that an answer leaves stays hot until the next
    answer has begun elsewhere: so moves go both ways. Raises GatewayUnreachableError and BenchFailedError.
    """

    def __init__(self, client: GatewayClient, tokens: int, *, prepared: bool) -> None:
        self._client = client
        self._tokens = tokens
        zones = [zone for zone in client.get("/admin/zones")["data"] if zone["settable"] and zone["backends"]]
        if len(zones) < 2:
            raise BenchFailedError("there have to be two zones with a simulated sensor and a backend")
        self._zone_of = {backend: str(zone["id"]) for zone in zones for backend in zone["backends"]}
        beyond = -1 if prepared else 1  # under the critical point an answer has time to leave
        self._hot_celsius = {str(zone["id"]): zone["trips"]["critical"] + beyond for zone in zones}
        self._hands = ThreadPoolExecutor(1)
        self.moves: list[Move] = []
        self.ordinary_gaps_ms: list[float] = []
        self.missed = 0
        for zone_id in self._hot_celsius:
            self._set(zone_id, _COOL_CELSIUS)

    def run(self, prompts: Sequence[str], cuts: int, seed: int) -> None:
        """So many moves of the answer to each prompt, at random tokens."""
        chance = random.Random(seed)  # noqa: S311 (nothing is kept secret by it)
        for prompt in prompts:
            whole = {self._zone_of[each.backend]: each for each in self._uninterrupted(prompt)}
            shortest = min(len(reading.pieces) for reading in whole.values())
            for _ in range(cuts):
                self._move(prompt, chance.randint(1, max(1, shortest - _PIECES_AT_THE_END)), whole)

    def bytes_moved(self) -> float:
        """State of models that was saved so far."""
        found = _BYTES.search(self._client.text("/metrics"))
        return float(found[1]) if found is not None else 0.0

    def close(self) -> None:
        self._hands.shutdown()

    def _uninterrupted(self, prompt: str) -> Iterator[Reading]:
        """The answer by the backend of each zone, while all others are too hot for new work."""
        for zone_id in self._hot_celsius:
            self._cool_only(zone_id)
            *_, reading = self._read(prompt)
            self.ordinary_gaps_ms += reading.gaps_ms()
            yield reading

    def _move(self, prompt: str, cut: int, whole: Mapping[str, Reading]) -> None:
        asked: list[Future[None]] = []
        began_at = 0
        for reading in self._read(prompt):
            count, here = len(reading.pieces), self._zone_of[reading.backend]
            if count == 1:
                asked.append(self._hands.submit(self._cool_all))
            if count == cut:
                began_at = count - 1
                asked.append(self._hands.submit(self._set, here, self._hot_celsius[here]))
        for each in asked:
            each.result()
        told = self._client.get(f"/admin/decisions/{reading.request_id}")
        handoffs = told["handoffs"]
        if len(handoffs) != 1 or reading.moved_at is None:
            self.missed += 1
            return
        self.moves.append(self._judged(reading, whole[here], told["usage"], handoffs[0], began_at))

    def _judged(
        self, reading: Reading, whole: Reading, usage: Mapping[str, Any] | None, handoff: Mapping[str, Any], begin: int
    ) -> Move:
        place = divergence(whole.pieces, reading.text)
        reused, prompt_tokens = handoff["cache_reused_tokens"], (usage or {}).get("prompt_tokens")
        known = None if reused is None or prompt_tokens is None else prompt_tokens + handoff["at_tokens"]
        return Move(
            continuation=str(handoff["continuation"] or handoff["result"]),
            diverged_after=None if place is None else place - handoff["at_tokens"],
            stall_ms=handoff["stall_ms"],
            largest_gap_ms=max(reading.gaps_ms(begin, (reading.moved_at or 0) + _PIECES_AFTER), default=0.0),
            cache_reuse=reused / known if known else None,
            prepared=handoff["prepared"],
        )

    def _read(self, prompt: str) -> Iterator[Reading]:
        """The same reading after each of its pieces."""
        body = {
            "model": "auto",
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": self._tokens,
            "temperature": 0,
            "stream": True,
        }
        with self._client.stream("/v1/chat/completions", body) as answer:
            reading = Reading(answer.headers["x-backend-used"], answer.headers["x-request-id"])
            for line in answer.iter_lines():
                if line.startswith(": handoff"):
                    reading.moved_at = len(reading.pieces)
                elif piece := _piece(line):
                    reading.times.append(time.perf_counter())
                    reading.pieces.append(piece)
                    yield reading
        if not reading.pieces:
            raise BenchFailedError("an answer was empty")

    def _cool_only(self, zone_id: str) -> None:
        for other, celsius in self._hot_celsius.items():
            self._set(other, _COOL_CELSIUS if other == zone_id else celsius)

    def _cool_all(self) -> None:
        for zone_id in self._hot_celsius:
            self._set(zone_id, _COOL_CELSIUS)

    def _set(self, zone_id: str, celsius: float) -> None:
        self._client.put(f"/admin/zones/{zone_id}", {"celsius": celsius})


def _piece(line: str) -> str:
    """The text of one event; empty where it has none."""
    if not line.startswith("data: {"):
        return ""
    choices = orjson.loads(line.removeprefix("data: ")).get("choices")
    return str(choices[0]["delta"].get("content") or "") if choices else ""
