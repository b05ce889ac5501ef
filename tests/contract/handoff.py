"""What the tests of moving answers share: backends that fail as they are told, and what a client must get all the same.

Those called as hardware are a house as in `tests.contract.house`, each in a zone of its own; others heat nothing and
are asked in their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from config.settings import Settings
from tests.contract.house import WATTS, House, Wall, simulated
from tests.fakes.clock import FakeClock
from tests.fakes.faulty_server import FaultyServer
from tests.fakes.sixty_tokens import TEXT, TOKENS
from tests.routers.running import ASKED, CHAT, COMPLETE, Streamed, backend, serving

WAYS = {
    "a chat that streams": (CHAT, True),
    "a chat that does not": (CHAT, False),
    "a text that streams": (COMPLETE, True),
    "a text that does not": (COMPLETE, False),
}
in_every_way = pytest.mark.parametrize(("path", "stream"), WAYS.values(), ids=WAYS)
on_either_path = pytest.mark.parametrize("path", [CHAT, COMPLETE], ids=["chat", "text"])

#: What every move tells of itself.
TOLD = {
    *("reason", "why", "from", "to", "continuation", "at_tokens", "at_chars", "prepared", "stall_ms"),
    *("cache_reused_tokens", "result"),
}

_TURNS = 40  # until what a server in this loop has written was read by the gateway, and by its client


@dataclass(frozen=True)
class Moving(House):
    """A house whose servers are faulty."""

    servers: Mapping[str, FaultyServer]

    async def get(self, path: str, *, stream: bool, headers: Mapping[str, str] | None = None, **changes: Any) -> Got:
        """An answer to its end."""
        return Got(await self.ask(path, headers, **{**asked(path, stream=stream), **changes}), stream=stream)

    @asynccontextmanager
    async def reading(
        self, path: str = CHAT, headers: Mapping[str, str] | None = None, **changes: Any
    ) -> AsyncIterator[Reader]:
        """A streamed answer, to be read as far as a test wants."""
        body = {**ASKED[path], **asked(path, stream=True), **changes}
        async with (
            asyncio.timeout(10),
            self.gateway.client.stream("POST", path, json=body, headers=headers) as response,
        ):
            yield Reader(response)

    async def heat(self, zone: str, celsius: float) -> None:
        """So hot is it there now, and the gateway has noticed."""
        await self.put(zone, celsius=celsius)
        self.tick()

    async def heat_everything(self, celsius: float) -> None:
        for zone in reversed(list(self.gateway.gateway.thermostat.zones)):  # at no moment is it cooler anywhere else
            await self.put(zone, celsius=celsius)
        self.tick()

    async def write_until_moved(self, source: str, written: int) -> None:
        """Let the source write on, a token at a time, until another one is asked to."""
        before = self.others_asked(source)
        for tokens in range(written + 1, len(TOKENS)):
            self.servers[source].write(tokens)
            self.clock.advance(0.02)
            self.tick()
            await turns()
            if self.others_asked(source) > before:
                return
        raise AssertionError("nobody else was asked to write")

    def others_asked(self, source: str) -> int:
        return sum(len(server.asked_to_write) for name, server in self.servers.items() if name != source)

    def open(self) -> int:
        """Answers that are being written now."""
        return sum(server.open for server in self.servers.values())

    async def handoffs(self, request_id: str) -> list[dict[str, Any]]:
        """The moves of an answer, by its record."""
        moves: list[dict[str, Any]] = (await self.find(request_id))["handoffs"]
        assert all(set(move) == TOLD for move in moves)
        return moves

    async def counted(self, **labels: str) -> float:
        """What /metrics has counted of such moves."""
        lines = (await self.gateway.get("/metrics")).text.splitlines()
        of_moves = [line for line in lines if line.startswith("isotherm_handoffs_total{")]
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        return sum(float(line.rpartition(" ")[2]) for line in of_moves if all(each in line for each in wanted))


class Got:
    """An answer as its client has it, in either form."""

    def __init__(self, response: httpx.Response, *, stream: bool) -> None:
        assert response.status_code == 200, response.text
        self.request_id = response.headers["x-request-id"]
        if stream:
            streamed = Streamed(response)
            assert_one_answer(streamed)
            self.text, self.finish_reasons = streamed.text, streamed.finish_reasons
            self.comments = streamed.comments
            self.usage = usage_of(streamed)
            return
        told = response.json()
        (choice,) = told["choices"]
        self.text = choice["message"]["content"] if "message" in choice else choice["text"]
        self.finish_reasons, self.usage = [choice["finish_reason"]], told.get("usage")
        self.comments = []

    def assert_whole(self) -> None:
        """Every character once, and the end of an answer that its model ended."""
        assert self.text == TEXT
        assert self.finish_reasons == ["stop"]


class Reader:
    """Reads a streamed answer piece by piece."""

    def __init__(self, response: httpx.Response) -> None:
        assert response.status_code == 200
        self.request_id = response.headers["x-request-id"]
        self.source = response.headers["x-backend-used"]
        self._response = response
        self._parts = response.aiter_bytes()
        self._came = b""

    @property
    def answer(self) -> Streamed:
        """What has come."""
        return Streamed(httpx.Response(200, content=self._came[: self._came.rfind(b"\n\n") + 2]))

    async def until(self, tokens: int) -> None:
        """Read on until so many tokens of the answer are there."""
        await self.until_it_says("".join(TOKENS[:tokens]))

    async def until_it_says(self, text: str) -> None:
        while not self.answer.text.startswith(text):
            await self.more()

    async def until_comment(self, comment: str) -> None:
        while comment not in self.answer.comments:
            await self.more()

    async def until_pieces(self, count: int) -> None:
        """Read on until the role and so many pieces have come, of whatever kind."""
        while len(self.answer.choices) < count + 1:
            await self.more()

    async def more(self) -> None:
        """Raises StopAsyncIteration at the end."""
        self._came += await anext(self._parts)

    async def rest(self) -> Streamed:
        """Read to the end."""
        async for part in self._parts:
            self._came += part
        return self.answer


def asked(path: str, *, stream: bool) -> dict[str, Any]:
    """For a long answer, with its usage."""
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    return {**options, **({"max_tokens": 100} if path == COMPLETE else {})}  # else a text ends after 16


def usage_of(streamed: Streamed) -> dict[str, Any] | None:
    """The usage, which may be told once, after all else."""
    told: list[dict[str, Any]] = [event["usage"] for event in streamed.events if event.get("usage")]
    assert len(told) <= 1
    if told:
        assert streamed.events[-1]["choices"] == []
    return told[0] if told else None


def assert_one_answer(streamed: Streamed, *, complete: bool = True) -> None:
    """The events are those of one answer, whoever wrote them: one identity, one role, one end."""
    events = [event for event in streamed.events if "error" not in event]
    for field in ("id", "created", "model", "object"):
        assert len({event[field] for event in events}) == 1, field
    assert {choice["index"] for choice in streamed.choices} == {0}
    chat = events[0]["object"] == "chat.completion.chunk"
    roles = [place for place, choice in enumerate(streamed.choices) if "role" in choice.get("delta", {})]
    assert roles == ([0] if chat else [])
    assert streamed.data.count("[DONE]") == 1
    assert streamed.data[-1] == "[DONE]"
    if complete:
        assert streamed.error is None
        assert [bool(choice["finish_reason"]) for choice in streamed.choices].index(True) == len(streamed.choices) - 1
    else:
        assert streamed.error is not None
        assert streamed.finish_reasons == []
        assert "error" in streamed.events[-1]


def assert_seamless(streamed: Streamed) -> None:
    """The whole answer, once."""
    assert_one_answer(streamed)
    assert streamed.text == TEXT
    assert streamed.finish_reasons == ["stop"]


async def turns(times: int = _TURNS) -> None:
    """Let everybody else in this loop do what they can."""
    for _ in range(times):
        await asyncio.sleep(0)


@asynccontextmanager
async def moving(
    *names: str,
    zone: Mapping[str, Any] | None = None,
    more: Mapping[str, Mapping[str, Any]] | None = None,
    models: Mapping[str, str] | None = None,
    owners: Mapping[str, str] | None = None,
    **sections: Any,
) -> AsyncIterator[Moving]:
    """`zone` is what is set for every zone, `more` what for one backend, `models` which it has and `owners` what its
    server calls itself; `sections` are those of the configuration.
    """
    async with AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(FaultyServer(name)) for name in names}
        for name, server in servers.items():
            server.model = (models or {}).get(name, server.model)
            server.owner = (owners or {}).get(name, server.owner)
        told = [
            {**_backend(name, place, server), **(more or {}).get(name, {})}
            for place, (name, server) in enumerate(servers.items())
        ]
        zones = [simulated(name, **(zone or {})) for name in names if name in WATTS]
        settings = Settings(server={"port": 0}, backends=told, zones=zones, **sections)
        clock, wall = FakeClock(), Wall()
        gateway = await stack.enter_async_context(serving(settings, clock=clock, local_time=wall))
        yield Moving(gateway, servers, clock, wall)


def _backend(name: str, place: int, server: FaultyServer) -> dict[str, Any]:
    """Its breaker stays closed however often it fails: who is tried is up to the moves alone."""
    where = {"hardware": name, "watts": WATTS[name], "zone": name} if name in WATTS else {"tier": place}
    return backend("openai", server, id=name, api_key=None, health={"failures": 100}, **where)
