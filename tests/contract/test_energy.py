"""Energy, honestly: measured, estimated or unknown, with its error; shared by those that overlapped; and budgets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.contract.house import CRITICAL, NEVER, SELDOM, House, house
from tests.contract.paced import TEN_WORDS, paced
from tests.fakes.answers import Answer, Silence
from tests.fakes.wire import Request
from tests.routers.running import error_of, until

pytestmark = pytest.mark.anyio

KEY, OTHER, ADMIN = "key-of-a-client", "key-of-another", "key-of-an-admin"


def take(home: House, name: str, seconds: float, *, each_seconds: float = 0.0) -> None:
    """From now on its answers, of ten words, take so long to begin, and so long for each other word."""
    server = home.servers[name]
    server.words = TEN_WORDS
    server.script = paced(server, home.clock, first_seconds=seconds, each_seconds=each_seconds)


async def energy(home: House, request_id: str) -> dict[str, Any]:
    """What the record says, once it is settled."""
    found: dict[str, Any] = {}

    async def is_settled() -> bool:
        found.update((await home.find(request_id))["energy"] or {})
        return bool(found)

    await until(is_settled)
    return found


@pytest.mark.parametrize(("watts", "seconds", "joules"), [(55, 2, 110), (3, 1, 3), (4, 0.5, 2)])
async def test_watts_times_seconds_are_joules_and_an_estimate(watts: float, seconds: float, joules: float) -> None:
    async with house({"npu": watts}, zones=[]) as home:
        take(home, "npu", seconds)
        response = await home.ask()
        told = await energy(home, response.headers["x-request-id"])

    assert told == {"joules": joules, "error_joules": joules / 2, "source": "estimated"}


async def test_energy_is_unknown_where_nobody_knows_the_watts() -> None:
    async with house({"npu": None}, zones=[]) as home:
        take(home, "npu", 2)
        response = await home.ask()
        told = await energy(home, response.headers["x-request-id"])

    assert told == {"joules": None, "error_joules": None, "source": "unknown"}


async def test_two_answers_that_overlap_share_the_energy() -> None:
    async with house({"npu": 50}, zones=[]) as home:
        server, gate = home.servers["npu"], asyncio.Event()
        server.script = lambda request: Silence(gate, then=server.answer(request))
        asked = [asyncio.create_task(home.ask(headers={"X-Request-ID": name})) for name in ("one", "two")]
        await server.asked(3)
        home.clock.advance(4)
        gate.set()
        await asyncio.gather(*asked)
        told = [await energy(home, name) for name in ("one", "two")]

    assert [each["joules"] for each in told] == [100, 100]


def rapl(root: Path, joules: float) -> dict[str, Any]:
    """A zone with a CPU package that counts its energy."""
    package = root / "class" / "powercap" / "intel-rapl:0"
    package.mkdir(parents=True)
    (package / "name").write_text("package-0\n")
    (package / "max_energy_range_uj").write_text("262143328850\n")
    count(root, joules)
    sensor = {"kind": "rapl", "root": str(root), "busy_seconds": SELDOM, "idle_seconds": SELDOM}
    return {"id": "cpu", "sensor": sensor, "stale_after_seconds": NEVER}


def count(root: Path, joules: float) -> None:
    (root / "class" / "powercap" / "intel-rapl:0" / "energy_uj").write_text(f"{joules * 1e6:.0f}\n")


async def test_a_counter_of_the_hardware_makes_it_a_measurement(tmp_path: Path) -> None:
    """30 J in the two seconds of the answer, whatever the data sheet says."""
    async with house({"cpu": 500}, zones=[rapl(tmp_path, 1000)]) as home:
        _see_it_idle(home)
        server = home.servers["cpu"]

        def script(request: Request) -> Answer:
            home.clock.advance(2)
            count(tmp_path, 1030)
            return server.answer(request)

        server.script = script
        await home.ask(headers={"X-Request-ID": "mine"})
        home.tick()
        told = await energy(home, "mine")
        learned = (await home.gateway.backends())["cpu"]["learned"]["small"]

    assert told["source"] == "measured"
    assert told["joules"] == pytest.approx(30)
    assert told["error_joules"] < 3
    assert learned["joules_per_token"] == pytest.approx(30 / 5)


async def test_a_thrifty_request_believes_the_counter_and_not_the_data_sheet(tmp_path: Path) -> None:
    """The CPU is said to draw 50 W, and needs 1 J in the half second of an answer; the NPU takes 40 s at its 4 W."""
    async with house({"cpu": 50, "npu": 4}, zones=[rapl(tmp_path, 1000)]) as home:
        _see_it_idle(home)
        take(home, "npu", 4, each_seconds=4)
        take(home, "cpu", 0.05, each_seconds=0.05)
        for name in ("npu", "cpu"):
            await home.ask(headers={"X-Target-Backend": name, "X-Request-ID": name})
        count(tmp_path, 1001)
        home.tick()
        await energy(home, "cpu")

        assert await home.used(headers={"X-Power-Efficient": "true"}) == "cpu"


async def test_a_zone_that_is_only_modelled_is_never_called_measured() -> None:
    async with house({"npu": 4}) as home:
        _see_it_idle(home)
        take(home, "npu", 2)
        await home.ask(headers={"X-Request-ID": "mine"})
        home.tick()
        told = await energy(home, "mine")

    assert told["source"] == "estimated"
    assert told["joules"] == pytest.approx(8)


def _see_it_idle(home: House) -> None:
    """What it draws without work is known by then."""
    home.tick()
    home.clock.advance(5)
    home.tick()


async def test_the_metrics_count_joules_by_backend_and_source() -> None:
    async with house({"npu": 4, "cpu": None}, zones=[]) as home:
        take(home, "npu", 2)
        await home.used(headers={"X-Target-Backend": "npu"})
        await home.used(headers={"X-Target-Backend": "cpu"})
        text = (await home.gateway.get("/metrics")).text

    (line,) = (line for line in text.splitlines() if line.startswith("isotherm_energy_joules_total"))
    assert line == 'isotherm_energy_joules_total{backend="npu",source="estimated"} 8.0'


def keys(**limits: Any) -> dict[str, Any]:
    api_keys = [{"name": "laptop", "key": KEY, **limits}, {"name": "phone", "key": OTHER}]
    return {"api_keys": api_keys, "admin_keys": [{"name": "me", "key": ADMIN}]}


def by(key: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", **headers}


async def test_a_key_that_has_used_its_watt_hours_is_told_to_come_back_tomorrow() -> None:
    """3 W for 1 s is 3 J, which are 0.00083 Wh: twice that is more than the 0.001 Wh of this key, once is not."""
    async with house({"npu": 3}, zones=[], server=keys(watt_hours_per_day=0.001)) as home:
        take(home, "npu", 1)
        first, second, third = [await home.ask(headers=by(KEY)) for _ in range(3)]
        other = await home.ask(headers=by(OTHER))

    assert (first.status_code, second.status_code, other.status_code) == (200, 200, 200)
    error = error_of(third, 429)
    assert (error["type"], error["code"]) == ("rate_limit_error", "energy_budget_exceeded")
    assert "0.001 watt-hours" in error["message"]
    assert int(third.headers["retry-after"]) >= 1


async def test_a_key_may_be_bound_to_so_many_watts() -> None:
    async with house(server=keys(max_watts=5)) as home:
        used = [await home.used(headers=by(key)) for key in (KEY, OTHER)]
        no_more = await home.used(headers=by(KEY, **{"X-Max-Power-Watts": "100"}))
        still_less = await home.ask(headers=by(KEY, **{"X-Max-Power-Watts": "3"}))

    assert used == ["npu", "igpu"]
    assert no_more == "npu"
    assert "the request allows 3 W" in still_less.headers["x-routing-reason"]


async def test_all_zones_together_draw_no_more_than_the_budget() -> None:
    """25 W are drawn, so 10 of 35 are left: enough for the NPU alone."""
    async with house(routing={"max_watts": 35, "on_no_candidate": "reject"}) as home:
        before = await home.used()
        await home.put("cpu", watts=25)
        left = (await home.mode())["watts_left"]
        response = await home.ask()
        rejected = (await home.record(response))["rejected"]
        await home.put("npu", celsius=CRITICAL)
        nobody = await home.ask()

    assert before == "igpu"
    assert left == 10
    assert response.headers["x-backend-used"] == "npu"
    assert "the budget has 10 W left, it draws 12" in {route["verdicts"][-1]["reason"] for route in rejected}
    assert "the budget has 10 W left" in error_of(nobody, 503)["message"]


async def test_what_works_already_gets_more_work_for_no_more_watts() -> None:
    async with house(routing={"max_watts": 35}) as home:
        server, gate = home.servers["igpu"], asyncio.Event()
        server.script = lambda request: Silence(gate, then=server.answer(request))
        first = asyncio.create_task(home.ask())
        await server.asked(2)
        await home.put("igpu", watts=30)
        second = asyncio.create_task(home.ask())
        await server.asked(3)
        gate.set()

        assert [(await each).headers["x-backend-used"] for each in (first, second)] == ["igpu", "igpu"]
