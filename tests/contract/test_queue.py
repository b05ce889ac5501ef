"""The line of a backend: who is served first, how long it may get, what is told of it, and that leaving it is quick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from tests.contract.house import House, house
from tests.contract.paced import paced
from tests.fakes.answers import Answer, Silence
from tests.fakes.wire import Request
from tests.routers.running import ASKED, CHAT, error_of, head, until

pytestmark = pytest.mark.anyio


class Line:
    """A house with one backend that does one thing at a time, and is busy with the first until `release`."""

    def __init__(self, home: House) -> None:
        self.home = home
        self.asked: list[str] = []
        self._server = home.servers["npu"]
        self._gate = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._server.script = self._answer

    def _answer(self, request: Request) -> Answer:
        if request.body is not None:
            self.asked.append(request.body["messages"][0]["content"])
        if self._gate.is_set() or request.body is None:
            return self._server.answer(request)
        return Silence(self._gate, then=self._server.completion(request))

    async def begin(self) -> None:
        """Somebody is at work from now on."""
        self.send("holder")
        await until(lambda: bool(self.asked))

    async def join(self, name: str, priority: str = "normal") -> None:
        """One more stands in line."""
        before = await self.waiting()
        self.send(name, priority)
        await until(lambda: self._has_joined(before))

    def send(self, name: str, priority: str = "normal") -> None:
        headers = {"X-Priority": priority, "X-Request-ID": name}
        asking = self.home.ask(headers=headers, messages=[{"role": "user", "content": name}])
        self._tasks[name] = asyncio.create_task(asking)

    async def _has_joined(self, before: int) -> bool:
        return await self.waiting() > before

    async def waiting(self) -> int:
        return int((await self.home.gateway.backends())["npu"]["waiting"])

    async def release(self) -> list[str]:
        """Who was served, in this order, after the one at work."""
        self._gate.set()
        await asyncio.gather(*self._tasks.values())
        return self.asked[1:]

    async def answer(self, name: str) -> Any:
        return await self._tasks[name]


@asynccontextmanager
async def line(**settings: Any) -> AsyncIterator[Line]:
    npu = {"concurrency": 1, "queue": 4, **settings}
    async with house({"npu": 4}, more={"npu": npu}) as home:
        yield Line(home)


async def test_the_line_is_served_by_priority_and_then_by_arrival() -> None:
    async with line(queue=8) as busy:
        await busy.begin()
        for name, priority in (
            ("first-best-effort", "best-effort"),
            ("first-normal", "normal"),
            ("first-critical", "critical"),
            ("first-high", "high"),
            ("second-normal", "normal"),
            ("second-critical", "critical"),
        ):
            await busy.join(name, priority)
        served = await busy.release()

    assert served == [
        "first-critical",
        "second-critical",
        "first-high",
        "first-normal",
        "second-normal",
        "first-best-effort",
    ]


@pytest.mark.parametrize(("seconds", "served"), [(80, ["critical", "best-effort"]), (100, ["best-effort", "critical"])])
async def test_who_has_waited_for_three_times_the_ageing_is_no_longer_overtaken(
    seconds: float, served: list[str]
) -> None:
    async with line(ageing_seconds=30) as busy:
        await busy.begin()
        await busy.join("best-effort", "best-effort")
        busy.home.clock.advance(seconds)
        await busy.join("critical", "critical")

        assert await busy.release() == served


async def test_a_full_line_is_429_with_the_seconds_until_there_is_room() -> None:
    async with line(queue=1) as busy:
        await _teach_four_seconds(busy)
        await busy.begin()
        await busy.join("waiting")
        response = await busy.home.ask()
        served = await busy.release()

    error = error_of(response, 429)
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert response.headers["retry-after"] == "8"
    assert served == ["waiting"]


async def test_somebody_more_urgent_takes_the_last_place_of_a_full_line() -> None:
    async with line(queue=1) as busy:
        await busy.begin()
        await busy.join("best-effort", "best-effort")
        busy.send("critical", "critical")
        displaced = await busy.answer("best-effort")
        served = await busy.release()

    error_of(displaced, 429)
    assert int(displaced.headers["retry-after"]) >= 1
    assert served == ["critical"]


async def test_a_full_backend_sends_work_elsewhere_where_there_is_an_elsewhere() -> None:
    more = {"igpu": {"concurrency": 1, "queue": 0}}
    async with house({"igpu": 12, "cpu": 20}, more=more) as home:
        gate = asyncio.Event()
        server = home.servers["igpu"]
        server.script = lambda request: Silence(gate, then=server.answer(request))
        first = asyncio.create_task(home.ask())
        await server.asked(2)
        second = await home.used()
        gate.set()

        assert ((await first).headers["x-backend-used"], second) == ("igpu", "cpu")


@pytest.mark.parametrize(("priority", "used"), [("normal", "igpu"), ("high", "igpu"), ("critical", "npu")])
async def test_critical_work_goes_elsewhere_sooner_than_it_waits(priority: str, used: str) -> None:
    async with house({"igpu": 12, "npu": 4}, more={"igpu": {"concurrency": 1}}) as home:
        gate = asyncio.Event()
        server = home.servers["igpu"]
        server.script = lambda request: Silence(gate, then=server.answer(request))
        first = asyncio.create_task(home.ask())
        await server.asked(2)
        second = asyncio.create_task(home.ask(headers={"X-Priority": priority, "X-Request-ID": "second"}))
        routes = await _routes(home, "second")
        gate.set()
        await asyncio.gather(first, second)

    assert routes[0] == used
    assert second.result().headers["x-backend-used"] == used


async def _routes(home: House, request_id: str) -> list[str]:
    """Once it is decided."""
    found: list[str] = []

    async def is_known() -> bool:
        response = await home.gateway.get(f"/admin/decisions/{request_id}")
        if response.status_code == 200:
            found[:] = [route["backend"] for route in response.json()["routes"]]
        return bool(found)

    await until(is_known)
    return found


async def test_a_decision_tells_the_place_in_the_line_and_how_long_it_will_take() -> None:
    async with line() as busy:
        await _teach_four_seconds(busy)
        await busy.begin()
        await busy.join("first")
        await busy.join("second")
        queues = [(await busy.home.find(name))["queue"] for name in ("first", "second")]
        outcome = (await busy.home.find("second"))["outcome"]
        busy.home.clock.advance(3)
        await busy.release()
        waited = (await busy.home.find("second"))["queue"]["waited_seconds"]
        alone = (await busy.home.find("holder"))["queue"]

    assert [queue["ahead"] for queue in queues] == [0, 1]
    assert [queue["estimated_wait_seconds"] for queue in queues] == [4, 8]
    assert outcome == "running"
    assert waited == 3
    assert alone is None


async def test_how_long_it_will_take_is_unknown_before_anything_was_answered() -> None:
    async with line() as busy:
        await busy.begin()
        await busy.join("first")
        queue = (await busy.home.find("first"))["queue"]
        await busy.release()

    assert (queue["ahead"], queue["estimated_wait_seconds"]) == (0, None)


async def test_a_caller_who_leaves_the_line_makes_room_at_once() -> None:
    async with line() as busy:
        await busy.begin()
        content = orjson.dumps({**ASKED[CHAT], "messages": [{"role": "user", "content": "impatient"}]})
        _, writer = await asyncio.open_connection("127.0.0.1", busy.home.gateway.port)
        writer.write(head(CHAT, f"content-length: {len(content)}", "x-request-id: impatient") + content)
        await until(lambda: _is_waiting(busy, 1))
        writer.close()
        await until(lambda: _is_waiting(busy, 0))
        record = await busy.home.find("impatient")
        served = await busy.release()

    assert record["outcome"] == "left"
    assert served == []


async def _is_waiting(busy: Line, count: int) -> bool:
    return await busy.waiting() == count


async def _teach_four_seconds(busy: Line) -> None:
    """The backend has been seen to take so long."""
    server, script = busy.home.servers["npu"], busy.home.servers["npu"].script
    server.script = paced(server, busy.home.clock, first_seconds=4)
    await busy.home.ask()
    server.script = script


async def test_who_waits_for_what_becomes_critical_meanwhile_is_not_served_there() -> None:
    async with line() as busy:
        await busy.begin()
        await busy.join("waiting")
        await busy.home.put("npu", celsius=91)
        served = await busy.release()
        response = await busy.answer("waiting")

    assert served == []
    assert "not ready" in error_of(response, 503)["message"]
    assert response.headers["retry-after"] == "10"
