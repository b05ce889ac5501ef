"""GET /admin/events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import Message

from config.settings import Settings
from routers.board import MOST_WATCHERS, Board
from routers.events import Events, events
from tests.fakes.openai_server import OpenAiServer
from tests.routers.running import CHAT, RunningGateway, backend, error_of, serving, until
from tests.routers.test_auth import ADMIN, CLIENT, bearer

pytestmark = pytest.mark.anyio

EVENTS = "/admin/events"
ZONES = [{"id": "gpu", "sensor": {"kind": "simulated", "celsius": 40}}]
KEYS = {"admin_keys": [{"name": "root", "key": ADMIN}], "api_keys": [{"name": "ann", "key": CLIENT}]}


class Watcher:
    """A client that reads one event after the other."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self, name: str) -> dict[str, Any]:
        """The next event of that name; StopAsyncIteration when the stream has ended."""
        async with asyncio.timeout(5):
            while await anext(self._lines) != f"event: {name}":
                pass
            found: dict[str, Any] = orjson.loads((await anext(self._lines)).removeprefix("data: "))
            return found

    async def until_the_end(self) -> None:
        async with asyncio.timeout(5):
            async for _ in self._lines:
                pass


@asynccontextmanager
async def watching(gateway: RunningGateway, **headers: str) -> AsyncIterator[Watcher]:
    async with gateway.client.stream("GET", EVENTS, headers=headers) as response:
        yield Watcher(response)


def settings(upstream: OpenAiServer, **server: Any) -> Settings:
    return Settings(server={"port": 0, **server}, zones=ZONES, backends=[backend("openai", upstream, api_key=None)])


@pytest.fixture
async def gateway(upstream: OpenAiServer) -> AsyncIterator[RunningGateway]:
    async with serving(settings(upstream)) as running_gateway:
        yield running_gateway


def board_of(gateway: RunningGateway) -> Board:
    board: Board = gateway.app.state.board
    return board


async def test_the_state_comes_at_once_and_again_and_again(gateway: RunningGateway) -> None:
    async with watching(gateway) as watcher:
        first, second = await watcher.next("state"), await watcher.next("state")
        headers = watcher.response.headers

    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store"
    assert first["zones"][0]["history"]
    assert [zone["id"] for zone in second["zones"]] == ["gpu"]
    assert 0.3 < second["at"] - first["at"] < 3


async def test_a_decision_comes_when_it_is_made(gateway: RunningGateway) -> None:
    async with watching(gateway) as watcher:
        await watcher.next("state")
        await gateway.post(CHAT, headers={"X-Request-ID": "mine"})
        told = await watcher.next("decision")

    assert (told["request_id"], told["backend"], told["outcome"]) == ("mine", "box", "completed")


async def test_a_decision_that_was_made_before_comes_with_the_first_state(gateway: RunningGateway) -> None:
    await gateway.post(CHAT, headers={"X-Request-ID": "early"})
    async with watching(gateway) as watcher:
        assert (await watcher.next("decision"))["request_id"] == "early"


async def test_who_leaves_gives_the_place_back(gateway: RunningGateway) -> None:
    async with watching(gateway) as watcher:
        await watcher.next("state")
        assert board_of(gateway).watchers == 1

    await until(lambda: board_of(gateway).watchers == 0)


async def test_when_all_places_are_taken_the_next_one_is_told_to_come_back(gateway: RunningGateway) -> None:
    async with AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(watching(gateway)) for _ in range(MOST_WATCHERS)]
        states = [await watcher.next("state") for watcher in watchers]
        refused = await gateway.get(EVENTS)

    assert len(states) == MOST_WATCHERS
    assert error_of(refused, 429)["code"] == "too_many_watchers"
    assert int(refused.headers["retry-after"]) >= 1
    await until(lambda: board_of(gateway).watchers == 0)
    async with watching(gateway) as watcher:
        assert await watcher.next("state")


async def test_only_an_admin_key_opens_it(upstream: OpenAiServer) -> None:
    async with serving(settings(upstream, **KEYS)) as gateway:
        without, with_clients = await gateway.get(EVENTS), await gateway.get(EVENTS, **bearer(CLIENT))
        async with watching(gateway, **bearer(ADMIN)) as watcher:
            assert await watcher.next("state")

    error_of(without, 401)
    error_of(with_clients, 403)


async def test_a_key_that_is_taken_away_ends_the_stream(upstream: OpenAiServer) -> None:
    other = {"admin_keys": [{"name": "root", "key": "sk-another-admin"}]}
    async with serving(settings(upstream, **KEYS), lambda: settings(upstream, **other)) as gateway:
        async with watching(gateway, **bearer(ADMIN)) as watcher:
            await watcher.next("state")
            await gateway.client.post("/admin/reload", headers=bearer(ADMIN))
            await watcher.until_the_end()
        await until(lambda: board_of(gateway).watchers == 0)


async def test_a_tick_is_one_block_of_whole_events(gateway: RunningGateway) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    board = Board(gateway.app.state.serving)
    blocks = [block async for block in events(board, lambda: len(pauses) < 3, pause)]

    assert pauses == [0.5, 0.5, 0.5]
    assert len(blocks) == 3
    assert all(block.startswith(b"event: state\ndata: {") and block.endswith(b"}\n\n") for block in blocks)


async def test_silence_is_broken_by_a_comment() -> None:
    sent = await _answer(Events(_nothing(), ping=0.001), until_sent=2)

    assert sent[1]["body"] == b": ping\n\n"


async def test_who_does_not_read_any_more_is_let_go() -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    closed = asyncio.Event()

    async def block() -> AsyncIterator[bytes]:
        try:
            yield b"data: {}\n\n"
        finally:
            closed.set()

    async with asyncio.timeout(5):
        await Events(block(), send_timeout=0.001)(_SCOPE, _stay, send)

    assert closed.is_set()


_SCOPE = {"type": "http", "method": "GET"}


async def _stay() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def _nothing() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def _answer(response: Events, until_sent: int) -> list[Message]:
    """What it sends before the client leaves, after so many messages."""
    sent: list[Message] = []
    enough = asyncio.Event()

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == until_sent:
            enough.set()

    async def receive() -> Message:
        await enough.wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(5):
        await response(_SCOPE, receive, send)
    return sent
